"""docs/tutorial.md is typed as it stands: its commands work, and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.processes import REPOSITORY
from helpers.processes import domain_environment

PAGE = (REPOSITORY / 'docs' / 'tutorial.md').read_text()
BLOCK = re.compile(r'^```(bash|python|)\n(.*?)^```', re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r'\d[\d.]*')
NOT_TYPED = ('make ', '. .venv', 'pip install')
"""They set up a virtual environment: the one of the tests is there."""
TIMEOUT = 120.0


def sections() -> dict[str, list[tuple[str, str]]]:
    """The blocks of each step: language and text, '' for output."""
    parts = re.split(r'^## \d\. (.*)$', PAGE, flags=re.MULTILINE)
    found = {
        title: BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {title: blocks for title, blocks in found.items() if blocks}


SECTIONS = sections()


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


def plain(line: str) -> str:
    """A line without its numbers and spacing, which differ."""
    line = re.sub(r'^\[(INFO|ERROR|WARN)\] \[[\d.]+\] ', '', line)
    return ' '.join(NUMBER.sub('#', line).split())


def missing(expected: str, output: str) -> list[str]:
    """Lines of the page that were not printed; `...` stands for the rest of a line."""
    printed = [plain(line) for line in output.splitlines()]
    lines = [plain(line).split('...')[0] for line in expected.splitlines()]
    return [line for line in lines if not any(line in each for each in printed)]


@pytest.mark.parametrize('title', SECTIONS)
def test_a_step_prints_what_the_page_says(title: str, tmp_path: Path) -> None:
    """A reader who sees something else stops reading."""
    for name in ('robots', 'config'):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    output = ''
    for language, text in SECTIONS[title]:
        if language:
            output += type_in(language, text, tmp_path)
        else:
            assert not missing(text, output), output
            output = ''


def test_a_line_that_is_not_printed_is_found() -> None:
    """Otherwise the test above could not fail."""
    assert len(SECTIONS) == 5
    assert missing('falls 1\nended  fault: x', 'falls  0\nended  reached') == ['ended fault: x']
    assert not missing('run   runs/...', 'run  runs/latest')


def test_the_answer_to_the_fault_stands_in_the_page() -> None:
    """Guard, joint, whether it fell, what was wrong: the output is enough to tell."""
    fault = PAGE.split('## 5. A fault')[1]
    for word in ('`speed`', 'left knee', 'Did it fall?* No', 'The limit is wrong'):
        assert word in fault
    limit = re.search(r'left_knee moves at ([\d.]+) rad/s, at most ([\d.]+)', fault)
    assert limit
    assert float(limit[2]) == 0.25 * 12.0
