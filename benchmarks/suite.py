"""All benchmarks, one after the other: what `make bench` runs.

Prints every group as it is done, then what is over its bound, and writes it all as JSON.

    python benchmarks/suite.py [--quick] [--json FILE] [NAME ...]
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from _figures import Figure
from _figures import print_figures
from _figures import write_json

NAMES = (
    'step', 'node', 'jitter', 'kilohertz', 'guards', 'record', 'scale', 'start', 'walk', 'kos',
    'unitree_bridge', 'policy_set',
)  # fmt: skip
QUICK = ('step', 'guards', 'node', 'jitter', 'record')


def main() -> int:
    """Run them; :return: exit code 1 if a bound is not held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(NAMES))
    parser.add_argument('--quick', action='store_true', help='a minute: fewer, shorter')
    parser.add_argument('--json', type=Path, default=Path('benchmarks.json'), metavar='FILE')
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f'there is no {", ".join(sorted(unknown))}: expected {", ".join(NAMES)}')
    groups: dict[str, list[Figure]] = {}
    for name in arguments.names or (QUICK if arguments.quick else NAMES):
        begin = time.monotonic()
        print(f'\n{name} ... (load average {os.getloadavg()[0]:.1f})', flush=True)
        groups[name] = importlib.import_module(name).measure(quick=arguments.quick)
        print_figures(f'{name}, {time.monotonic() - begin:.0f} s', groups[name])
    write_json(arguments.json, groups)
    over = [each for group in groups.values() for each in group if each.held is False]
    held = sum(each.held is True for group in groups.values() for each in group)
    print(f'\n{held} bounds held, {len(over)} not; all figures are in {arguments.json}')
    for each in over:
        print(f'  {each.name}: {each.found}, bound {each.bound}')
    return int(bool(over))


if __name__ == '__main__':
    raise SystemExit(main())
