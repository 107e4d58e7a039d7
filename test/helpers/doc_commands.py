"""Collects the commands and links of the docs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.processes import REPOSITORY

PAGES = sorted(
    [
        *REPOSITORY.glob('*.md'),
        *(REPOSITORY / 'docs').glob('*.md'),
        REPOSITORY / 'training/README.md',
    ]
)
BLOCK = re.compile(r'^```bash\n(.*?)^```', re.DOTALL | re.MULTILINE)
FENCED = re.compile(r'^```.*?^```', re.DOTALL | re.MULTILINE)
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
ASSIGNMENT = re.compile(r'\w+=\S*')


@dataclass(frozen=True)
class Command:
    """One command of a page: variables set before it, and its words."""

    page: str
    variables: dict[str, str]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.page}: {" ".join(self.words)}'


def commands() -> list[Command]:
    """Every command in the bash blocks of all pages."""
    return [command for page in PAGES for command in _commands(page)]


def _commands(page: Path) -> Iterator[Command]:
    name = str(page.relative_to(REPOSITORY))
    for block in BLOCK.findall(page.read_text()):
        for line in block.replace('\\\n', ' ').splitlines():
            words: list[str] = []
            lexer = shlex.shlex(line, posix=True, punctuation_chars=';&|')
            lexer.whitespace_split = True
            lexer.commenters = '#'
            for word in [*lexer, ';']:
                if word in (';', '&&', '|', '&'):
                    if words:
                        yield _command(name, words)
                    words = []
                else:
                    words.append(word.strip('[]'))  # [--option] is optional


def _command(page: str, words: list[str]) -> Command:
    variables: dict[str, str] = {}
    while words and ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition('=')
        variables[name] = value
    return Command(page, variables, tuple(words))


def named_commands(page: Path) -> set[str]:
    """Commands of `python -m kinfer_ros` that a page names, also in its text."""
    text = page.read_text().replace('\n', ' ')
    return set(re.findall(r'python +-m +kinfer_ros ([a-z]\w*)', text))


def links(page: Path) -> list[str]:
    """Link targets in a page's text, as written."""
    return LINK.findall(FENCED.sub('', page.read_text()))


def anchors(page: Path) -> set[str]:
    """Anchors of a page, as GitHub and Sphinx generate them."""
    headings = re.findall(r'^#+ (.*)$', FENCED.sub('', page.read_text()), re.MULTILINE)
    return {_slug(heading) for heading in headings}


def _slug(heading: str) -> str:
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).lower()
    return re.sub(r'[^\w\- ]', '', text).replace(' ', '-')
