"""The jobs of an evaluation: every command under every condition with every seed."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import find_sequence
from kinfer_ros.control.command import HEADING
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.errors import ConfigError
from kinfer_ros.evaluation.condition import CALM
from kinfer_ros.evaluation.condition import CONDITIONS
from kinfer_ros.evaluation.condition import MAX_VALUE
from kinfer_ros.evaluation.condition import NAMES
from kinfer_ros.evaluation.condition import RANGES
from kinfer_ros.evaluation.condition import Condition
from kinfer_ros.policy.contract import Contract
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_file import did_you_mean

SHARE = 0.6
"""Default commands as a share of the range that the policy was trained with."""
USUAL = {'xvel': 0.3, 'yvel': 0.1, 'yawrate': 0.3}
"""m/s and rad/s of default commands for a policy without ranges."""
QUICK_S = 5.0
QUICK_PUSHED = ('pushes', 'rough')
QUICK_PUSH_S = 2.0
"""s between pushes of a quick run: the default's may come when it is nearly over."""
SEQUENCE = 'sequence'
"""Key of a command that plays a command sequence."""
MAX_SEEDS = 10_000
MAX_S = 3600.0


@dataclass(frozen=True)
class Job:
    """One run: `values` is the command by entry, `seconds` the duration of mode `run`."""

    command: str
    values: Mapping[str, float]
    condition_name: str
    condition: Condition
    seed: int
    seconds: float
    sequence: CommandSequence | None = None
    """Played from the beginning of mode `run`, over `values`."""

    @property
    def id(self) -> str:
        """Name of the job, unique in its evaluation."""
        return f'{self.command}/{self.condition_name}/{self.seed}'


@dataclass(frozen=True)
class Matrix:
    """Commands by name, conditions by name, seeds 0 to `seeds` - 1."""

    commands: Mapping[str, Mapping[str, float]]
    conditions: Mapping[str, Condition]
    seeds: int = 6
    seconds: float = 10.0
    sequences: Mapping[str, CommandSequence] = field(default_factory=dict)
    """By the name of their command."""

    def jobs(self) -> list[Job]:
        """Return all jobs; a condition without random numbers has one seed."""
        return [
            Job(command, values, name, condition, seed, self.seconds, self.sequences.get(command))
            for name, condition in self.conditions.items()
            for command, values in self.commands.items()
            for seed in range(self.seeds if condition.draws else 1)
        ]

    def job(self, job_id: str) -> Job:
        """
        Return the job with this id; the seed may be any number.

        :raises ConfigError: no such command or condition, or the seed is no number.
        """
        parts = job_id.split('/')
        if len(parts) != 3 or not parts[2].isascii() or not parts[2].isdigit():
            raise ConfigError(
                f'job {job_id!r}: expected COMMAND/CONDITION/SEED, such as {self.jobs()[0].id}'
            )
        command, condition, seed = parts
        _check_known('command', command, self.commands)
        _check_known('condition', condition, self.conditions)
        values, entry = self.commands[command], self.conditions[condition]
        sequence = self.sequences.get(command)
        return Job(command, values, condition, entry, int(seed), self.seconds, sequence)

    def only(self, commands: list[str], conditions: list[str]) -> 'Matrix':
        """
        Keep the named commands and conditions; an empty list keeps all.

        :raises ConfigError: a name is unknown.
        """
        for name in commands:
            _check_known('command', name, self.commands)
        for name in conditions:
            _check_known('condition', name, self.conditions)
        return replace(
            self,
            commands={name: self.commands[name] for name in commands or self.commands},
            conditions={name: self.conditions[name] for name in conditions or self.conditions},
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        sequences = {name: each.name for name, each in self.sequences.items()}
        return {
            'commands': {name: dict(values) for name, values in self.commands.items()},
            'conditions': {name: asdict(each) for name, each in self.conditions.items()},
            'seeds': self.seeds,
            'seconds': self.seconds,
            **({'sequences': sequences} if sequences else {}),
        }


def _check_known(what: str, name: str, names: Mapping[str, object]) -> None:
    if name not in names:
        raise ConfigError(
            f'there is no {what} {name!r}{did_you_mean(name, names)}: found {", ".join(names)}'
        )


def default_matrix(contract: Contract) -> Matrix:
    """Return commands from the trained ranges, under all conditions."""
    return Matrix(_default_commands(contract), CONDITIONS)


def quick_matrix(contract: Contract) -> Matrix:
    """Return a short matrix: every default command, calm, pushed early, and rough."""
    conditions = {
        CALM: CONDITIONS[CALM],
        **{name: replace(CONDITIONS[name], push_every=QUICK_PUSH_S) for name in QUICK_PUSHED},
    }
    return Matrix(_default_commands(contract), conditions, seeds=1, seconds=QUICK_S)


def shared_contract(a: Contract, b: Contract) -> Contract:
    """Return the first contract, with the commands that both take, in the range of both."""
    names = tuple(name for name in _entries(a) if name in _entries(b))
    ranges = {}
    for name in names:
        found = [each.command_ranges[name] for each in (a, b) if name in each.command_ranges]
        if found:
            ranges[name] = (max(low for low, _ in found), min(high for _, high in found))
    return replace(a, command_names=names, command_ranges=ranges)


def _default_commands(contract: Contract) -> dict[str, dict[str, float]]:
    entries = _entries(contract)
    values = {}
    for name, usual in USUAL.items():
        if name in entries:
            _, high = contract.command_ranges.get(name, (0.0, usual / SHARE))
            values[name] = round(SHARE * high, 3)
    commands: dict[str, dict[str, float]] = {'stand': {}}
    if 'xvel' in values:
        commands['forward'] = {'xvel': values['xvel']}
    if 'yvel' in values:
        commands['sideways'] = {'yvel': values['yvel']}
    if 'yawrate' in values:
        commands['turn'] = {name: values[name] for name in ('xvel', 'yawrate') if name in values}
    return commands


def _entries(contract: Contract) -> tuple[str, ...]:
    """Return the entries that a command may have; a yaw rate turns a heading."""
    names = contract.command_names
    return (*names, 'yawrate') if HEADING in names and 'yawrate' not in names else names


def twist_of(values: Mapping[str, float]) -> tuple[float, float, float]:
    """Return the part of a command that a Twist holds: linear.x, linear.y, angular.z."""
    x, y, yaw_rate = (values.get(name, 0.0) for name in TWIST_ENTRIES)
    return x, y, yaw_rate


# A matrix file --------------------------------------------------------------------------


def load_matrix(path: Path, contract: Contract) -> Matrix:
    """
    Read a matrix (YAML); missing parts are those of the default matrix.

    :raises ConfigError: with every problem and its line.
    """
    file = YamlFile(path, 'evaluation matrix', ConfigError)
    root = file.root
    default = default_matrix(contract)
    commands, conditions = default.commands, default.conditions
    sequences: dict[str, CommandSequence] = {}
    if root.has('commands') and (section := root.section('commands')):
        commands = {}
        for name, each in section.sections().items():
            if (sequence := _sequence(each, contract)) is not None:
                sequences[name] = sequence
            commands[name] = _command(name, each, section, contract)
    if root.has('conditions') and (section := root.section('conditions')):
        conditions = {
            name: _condition(name, each, section) for name, each in section.sections().items()
        }
    if not commands or not conditions:
        root.problem('found no command or no condition, expected at least one of each')
    seeds = root.integer('seeds', 1, MAX_SEEDS, default.seeds)
    seconds = root.number('seconds', 's', 1.0, MAX_S, default.seconds)
    file.finish()
    return Matrix(commands, conditions, seeds, seconds, sequences)


def _check_name(name: str, section: Section) -> None:
    if '/' in name or not name.isprintable() or len(name) > 60:
        section.problem(f'found the name {name!r}, expected 60 printable characters at most, no /')


def _command(name: str, entry: Section, parent: Section, contract: Contract) -> dict[str, float]:
    _check_name(name, parent)
    known = _entries(contract)
    found = {}
    for key in entry.keys():  # noqa: SIM118 - a Section is no dict
        if key == SEQUENCE:
            continue
        if key not in known:
            entry.has(key)
            listed = ', '.join(known) or 'none'
            entry.problem(f'the policy has no such entry; it has {listed}', key)
            continue
        low, high = contract.command_ranges.get(key, (-1e6, 1e6))
        found[key] = entry.number(key, 'as trained', low, high)
    return found


def _sequence(entry: Section, contract: Contract) -> CommandSequence | None:
    """Read the command sequence of a command, by name or path; None without one."""
    if not entry.has(SEQUENCE):
        return None
    name = entry.string(SEQUENCE)
    try:
        sequence = find_sequence(name)
    except ConfigError as error:
        entry.problem(str(error), SEQUENCE)
        return None
    if refusal := sequence.refusal(dict.fromkeys(contract.command_names)):
        entry.problem(refusal, SEQUENCE)
    return sequence


def _condition(name: str, entry: Section, parent: Section) -> Condition:
    _check_name(name, parent)
    found: dict[str, Any] = {}
    for key in NAMES:
        if not entry.has(key):
            continue
        largest = MAX_VALUE[key]
        if key not in RANGES:
            found[key] = entry.number(key, 'see docs/evaluation.md', 0.0, largest)
        elif isinstance(entry.plain(key), list):
            low, high = entry.numbers(key, 2, 'lowest and highest')
            if not math.isnan(low) and not 0.0 <= low <= high <= largest:
                entry.problem(f'found {low:g} to {high:g}, expected 0 to {largest:g}', key)
            found[key] = (low, high)
        else:
            value = entry.number(key, 'or a list: lowest, highest', 0.0, largest)
            found[key] = (value, value)
    if found.get('push_every') == 0.0:
        entry.problem('found 0, expected more', 'push_every')
    return Condition(**found)
