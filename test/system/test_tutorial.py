"""docs/tutorial.md is typed as it stands: its commands work, and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

import pytest

from helpers.processes import REPOSITORY
from helpers.processes import domain_environment

PAGE = (REPOSITORY / 'docs' / 'tutorial.md').read_text()
BLOCK = re.compile(r'^```(bash|python|)\n(.*?)^```', re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r'\d[\d.]*')
NOT_TYPED = ('make ', '. .venv', 'pip ')
"""They set up a virtual environment: the one of the tests is there."""
TIMEOUT = 300.0


def sections() -> dict[str, list[tuple[str, str]]]:
    """The blocks of each step: language and text, '' for output."""
    parts = re.split(r'^## \d\. (.*)$', PAGE, flags=re.MULTILINE)
    found = {
        title: BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {title: blocks for title, blocks in found.items() if blocks}


SECTIONS = sections()

ANSWERS = {
    'Two policies': (
        'evals/latest/comparison.html',
        (
            'B against A: better: .*power.*; worse: vx error; no difference: survived',
            r'power W better [\d.]+ [\d.]+ -4\.\d+ -5\.\d+ to -3\.',
            r'survived no difference 87\.5% 87\.5% .* 24 ',
            r'vx error m/s worse [\d.]+ [\d.]+ \+0\.004',
        ),
    ),
    'A fault': (
        'runs/latest/report.html',
        (
            r'A fault 0\.06 s after the policy began',
            r'First cause left_knee moves at 3\.6 rad/s, at most 3\.0 are accepted',
            r'joint_speed_factor is 0\.25, by default 1\.5 Before it 0\.04 s before: warning',
            r'What followed in the same tick every joint was damped',
            r'What to do next Is the limit right\?.*kinfer_ros check .*kinfer_ros replay ',
            r'guard limits warnings faults .*speed 0 \d+ 1',
        ),
    ),
}  # fmt: skip
"""By step: the page that it has the reader open, and what the page has to say."""


@dataclass(frozen=True)
class Typed:
    """
    A step that was typed.

    :ivar outputs: what the tutorial says that is printed, and what was.
    """

    folder: Path
    outputs: list[tuple[str, str]]


def type_in(language: str, text: str, folder: Path) -> str:
    """Type a block; :return: what it prints."""
    if language == 'bash':
        lines = [line for line in text.splitlines() if not line.startswith(NOT_TYPED)]
        python = f'python() {{ "{sys.executable}" "$@"; }}\n'
        command = ['bash', '-c', python + '\n'.join(lines)]
    else:
        command = [sys.executable, '-c', text]
    environment = domain_environment(PYTHONPATH=f'{REPOSITORY}')
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    return done.stdout + done.stderr


def text_of(page: Path) -> str:
    """The text that an HTML page shows."""
    html = re.sub(r'<(script|style).*?</\1>', ' ', page.read_text(), flags=re.DOTALL)
    return ' '.join(unescape(re.sub(r'<[^>]*>', ' ', html)).split())


def plain(line: str) -> str:
    """A line without its numbers and spacing, which differ."""
    line = re.sub(r'^\[(INFO|ERROR|WARN)\] \[[\d.]+\] ', '', line)
    return ' '.join(NUMBER.sub('#', line).split())


def missing(expected: str, output: str) -> list[str]:
    """Lines of the page that were not printed; `...` stands for the rest of a line."""
    printed = [plain(line) for line in output.splitlines()]
    lines = [plain(line).split('...')[0] for line in expected.splitlines()]
    return [line for line in lines if not any(line in each for each in printed)]


@pytest.fixture(scope='module')
def typed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Typed]:
    """Types a step in a folder of its own, once."""

    @cache
    def type_step(title: str) -> Typed:
        folder = tmp_path_factory.mktemp('step')
        for name in ('robots', 'config'):
            (folder / name).symlink_to(REPOSITORY / name)
        output, outputs = '', []
        for language, text in SECTIONS[title]:
            if language:
                output += type_in(language, text, folder)
            else:
                outputs.append((text, output))
                output = ''
        return Typed(folder, outputs)

    return type_step


@pytest.mark.parametrize('title', SECTIONS)
def test_a_step_prints_what_the_page_says(title: str, typed: Callable[[str], Typed]) -> None:
    """A reader who sees something else stops reading."""
    outputs = typed(title).outputs
    assert outputs
    for expected, output in outputs:
        assert not missing(expected, output), output


@pytest.mark.parametrize('title', ANSWERS)
def test_a_page_alone_answers_its_question(title: str, typed: Callable[[str], Typed]) -> None:
    """Who opens the page of a step, and reads no terminal, finds what the tutorial says."""
    file, answers = ANSWERS[title]
    assert f'`{file}`' in PAGE
    text = text_of(typed(title).folder / file)
    for answer in answers:
        assert re.search(answer, text), f'{answer}\n{text}'


def test_a_line_that_is_not_printed_is_found() -> None:
    """Otherwise the test above could not fail."""
    assert len(SECTIONS) == 6
    assert missing('falls 1\nended  fault: x', 'falls  0\nended  reached') == ['ended fault: x']
    assert not missing('run   runs/...', 'run  runs/latest')


def test_the_answer_to_the_fault_stands_in_the_page() -> None:
    """What the tutorial quotes of the report is what is looked for in the report."""
    fault = ' '.join(BLOCK.sub('', PAGE.split('## 6. A fault')[1]).split())
    quoted = re.findall(r'"([^"]+)"', fault)
    answers = ' '.join(ANSWERS['A fault'][1]).replace('\\', '')
    assert len(quoted) > 4
    assert [each for each in quoted if each not in answers] == []
    limit = re.search(r'left_knee moves at ([\d.]+) rad/s, at most ([\d.]+)', fault)
    assert limit
    assert float(limit[2]) == 0.25 * 12.0
