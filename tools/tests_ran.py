"""Fail when fewer tests ran than there are: `tests_ran.py REPORTS [MARK] [PYTEST ARGUMENTS]`.

A plugin that skips whole files, or a run that ends early, else looks like success. What ran is
read from the JUnit reports in the folder REPORTS; what there is comes from a collection by pytest
alone, without plugins. Without arguments for pytest, each file test_*.py has to have tests too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
NO_TESTS_COLLECTED = 5
ALL = 'not long'
"""The mark of all tests that `make test` has on its first distribution."""


def collected(mark: str, arguments: list[str]) -> Counter[str]:
    """Count the tests by file, as paths below the root."""
    words = [sys.executable, '-m', 'pytest', '--collect-only', '-q', *arguments]
    done = subprocess.run(  # noqa: S603
        [*words, '-m', mark],
        cwd=ROOT,
        env={**os.environ, 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1', 'PYTEST_ADDOPTS': ''},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, NO_TESTS_COLLECTED):
        print(done.stdout, done.stderr, 'the tests could not be collected', sep='\n')
        sys.exit(1)
    files = (line.partition('::') for line in done.stdout.splitlines())
    return Counter(file for file, found, _ in files if found and file.endswith('.py'))


def ran(reports: Path) -> Counter[str]:
    """Count the tests that have a result, by the dotted name of their module."""
    cases = (
        case
        for path in reports.rglob('*.xml')
        for case in ElementTree.parse(path).iter('testcase')  # noqa: S314
    )
    # colcon puts the package's name in front
    return Counter(case.get('classname', '').removeprefix('kinfer_ros.') for case in cases)


def main(reports: str, mark: str = '', *arguments: str) -> int:
    """Print what did not run; return 1 if anything did not."""
    expected, found = collected(mark, list(arguments)), ran(Path(reports))
    failed = False
    for file, count in expected.items():
        done = found[file.removesuffix('.py').replace('/', '.')]
        if done < count:
            print(f'{file}: {done} of {count} tests ran')
            failed = True
    if not arguments and not expected:
        print(f'pytest finds no tests with the mark {mark!r}')
        failed = True
    if mark == ALL and not arguments:
        files = {str(path.relative_to(ROOT)) for path in (ROOT / 'test').rglob('test_*.py')}
        others = sorted(files - set(expected))
        long = set(collected('long', others)) if others else set()
        for file in sorted(set(others) - long):
            print(f'{file}: pytest finds no tests in it')
            failed = True
    if not failed:
        print(f'all {expected.total()} tests ran or said why they were skipped')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
