"""All benchmarks, one after the other: what `make bench` runs.

Prints how fast the machine is, then every group as it is done, then what is over its bound, and
writes it all as JSON. What takes hours has to be named.

    python benchmarks/suite.py [--quick] [--json FILE] [--markdown] [--page] [NAME ...]
    python benchmarks/suite.py --from FILE [--markdown] [--page]
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from _beside import machine_speed
from _figures import Figure
from _figures import print_figures
from _figures import read_json
from _figures import write_json
from _page import PAGE
from _page import tables
from _page import write_page

NAMES = (
    'step',
    'guards',
    'node',
    'jitter',
    'kilohertz',
    'record',
    'scale',
    'start',
    'walk',
    'kos',
    'unitree_bridge',
    'policy_set',
    'simulation',
    'lockstep',
)
LONG = ('hour',)
"""Only if named."""
QUICK = ('step', 'guards', 'node', 'jitter', 'record')


def parse() -> argparse.Namespace:
    """:return: what the command line says."""
    known = (*NAMES, *LONG)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(known))
    parser.add_argument('--quick', action='store_true', help='a minute: fewer, shorter')
    parser.add_argument('--json', type=Path, default=Path('benchmarks.json'), metavar='FILE')
    parser.add_argument('--minutes', type=float, help='of each side of `hour`; 60 if not given')
    parser.add_argument('--markdown', action='store_true', help='print tables in Markdown as well')
    parser.add_argument('--page', action='store_true', help=f'write them into {PAGE.name}')
    parser.add_argument(
        '--from',
        dest='source',
        type=Path,
        metavar='FILE',
        help='a JSON of before: measure nothing',
    )
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f'there is no {", ".join(sorted(unknown))}: expected {", ".join(known)}')
    if arguments.page and not arguments.source and (problem := page_problem(chosen(arguments))):
        parser.error(problem)
    return arguments


def chosen(arguments: argparse.Namespace) -> Sequence[str]:
    """The parts to measure."""
    return arguments.names or (QUICK if arguments.quick else NAMES)


def page_problem(names: Iterable[str]) -> str:
    """:return: why the page cannot be filled from these parts, or ''."""
    found = set(names) & set(NAMES)
    if found in (set(), set(NAMES)):
        return ''
    return (
        f'--page: found {len(found)} of {len(NAMES)} parts, expected all of one run, or '
        f'{LONG[0]} alone: rows of different runs cannot be compared'
    )


def measure(arguments: argparse.Namespace) -> dict[str, list[Figure]]:
    """Measure what is asked for, and write the JSON after each group."""
    speed = machine_speed(quick=arguments.quick)
    print('how fast this machine is, us: ratios of two machines compare where these are alike')
    for name, value in speed.items():
        print(f'  {name}: {value:.3g}')
    names = chosen(arguments)
    groups: dict[str, list[Figure]] = {}
    start = time.monotonic()
    for number, name in enumerate(names, 1):
        begin = time.monotonic()
        spent = f'{begin - start:.0f} s so far, load average {os.getloadavg()[0]:.1f}'
        print(f'\n[{number}/{len(names)}] {name} ({spent})', flush=True)
        more = {'minutes': arguments.minutes} if name in LONG and arguments.minutes else {}
        groups[name] = importlib.import_module(name).measure(quick=arguments.quick, **more)
        print_figures(f'{name}, {time.monotonic() - begin:.0f} s', groups[name])
        write_json(arguments.json, speed, groups)
    return groups


def main() -> int:
    """Run them; :return: exit code 1 if a bound is not held."""
    arguments = parse()
    if not arguments.source:
        measure(arguments)
    facts, groups = read_json(arguments.source or arguments.json)
    over = [each for group in groups.values() for each in group if each.held is False]
    held = sum(each.held is True for group in groups.values() for each in group)
    print(f'\n{held} bounds held, {len(over)} not; all figures are in {arguments.json}')
    for each in over:
        print(f'  {each.name}: {each.found}, bound {each.bound}')
    found = tables(facts, groups)
    if arguments.markdown:
        print('\n' + '\n'.join(found.values()))
    if arguments.page:
        if problem := page_problem(groups):
            raise SystemExit(problem)
        write_page(found)
    return int(bool(over))


if __name__ == '__main__':
    raise SystemExit(main())
