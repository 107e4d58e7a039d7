"""Writes an annotated template of a policy spec from the shapes of a network and a robot file.

Shapes say how many numbers there are, not what they mean: whatever only the training knows is a
place to fill in, with what the shapes suggest.
"""

import math
from collections.abc import Sequence

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.graph import Tensor
from kinfer_ros.policy.number_types import DTYPES
from kinfer_ros.policy.number_types import FLOATS
from kinfer_ros.policy.spec.guess import Guess
from kinfer_ros.policy.spec.guess import guess_terms
from kinfer_ros.policy.spec.terms import SOURCES
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import printable

SCALE = 'a number, or one each: 1.0 where the training has none'
OWN_KEYS = {
    'gravity': {'unit': 'unit: of length 1; or m/s^2: 9.81 long'},
    'joint_positions': {'relative': 'true: minus the default pose; or false'},
    'last_action': {'which': 'raw: the output of the network; scaled; or target'},
    'phase': {
        'encoding': 'a list of sin, cos, phase',
        'layout': 'grouped: all of the first encoding, then the second; or interleaved: by foot',
    },
    'height_scan': {'count': 'number of points, or grid instead: docs/specs.md, Height scan'},
}
"""Further keys of a guessed term, which have to be said."""
TWIST = {'xvel': 'm/s', 'yvel': 'm/s', 'yawrate': 'rad/s'}
HISTORY = {
    'layout': 'per_term: frames of each term together; or per_frame: whole frames',
    'order': 'oldest_first or newest_first',
    'first': 'what fills it at the start: repeat, the first frame; or zero',
}


class SpecTemplate:
    """
    A template of a policy spec.

    :ivar guesses: what an observation may hold, by input; empty where nothing usual fits.
    """

    def __init__(
        self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], robot: Robot
    ) -> None:
        self._name = name
        self._robot = robot
        self._outputs = outputs
        self._inputs = inputs
        count = len(robot.joint_names)
        self._action = next((o for o in outputs if _size(o) == count), outputs[0])
        self._actions = _size(self._action)
        self._states = _pair_states(inputs, [o for o in outputs if o is not self._action])
        self._observed = [node for node in inputs if node.name not in self._states]
        self.guesses = {node.name: self._guess(node) for node in self._observed}

    def _guess(self, node: Tensor) -> list[Guess]:
        size = _size(node)
        if size is None or node.dtype not in FLOATS:
            return []
        # The policy may move only some of the robot's joints, and see these alone.
        counts = dict.fromkeys((self._actions or 0, len(self._robot.joint_names)))
        actions = self._actions or len(self._robot.joint_names)
        found = [g for n in counts if n for g in guess_terms(size, n, actions, _rows(node))]
        return sorted(found, key=lambda guess: guess.frames)

    def text(self) -> str:
        """Return the YAML."""
        parts = [self._head(), self._gains(), self._commands(), self._observation()]
        lines = [line for part in (*parts, self._action_lines()) for line in part]
        return '\n'.join(map(_one_line, lines)) + '\n'

    def _head(self) -> list[str]:
        names = self._robot.joint_names
        homes = [f'{joint.home:g}' for joint in self._robot.joints]
        shapes = [' + '.join(map(_describe, nodes)) for nodes in (self._inputs, self._outputs)]
        return [
            f'# Policy spec, a template from the shapes of a network: {shapes[0]} -> {shapes[1]}.',
            '# Replace all that begins with FILL IN by what the training says; `check` names the',
            '# places that are left. What is in brackets is a guess, or what can stand there.',
            '# All keys: docs/specs.md.',
            f'name: {_quoted(self._name)}',
            _place('control_rate', 'Hz: 1 / (time step of the simulation x decimation)'),
            '# Of the robot file, in its order, which need not be that of the policy: '
            f'[{", ".join(names)}]',
            _place('joints', f"list of names, in the policy's order; {self._joint_count()}"),
            f'# Of the robot file, rad: [{", ".join(homes)}]',
            _place('default_pose', 'rad, one number a joint: the default pose of the training'),
        ]

    def _joint_count(self) -> str:
        count = len(self._robot.joint_names)
        if self._actions == count:
            return f'{count}, as the action has'
        return f'the action has {self._actions or "an open number of"} numbers, the robot {count}'

    def _gains(self) -> list[str]:
        robot = self._robot
        kp = [f'{joint.kp:g}' for joint in robot.joints]
        kd = [f'{joint.kd:g}' for joint in robot.joints]
        return [
            f'# Of the robot file: kp [{", ".join(kp)}], kd [{", ".join(kd)}]',
            'gains:',
            _place('  kp', 'Nm/rad, of the training: a number, a list, or {joint: number}'),
            _place('  kd', 'Nm s/rad'),
        ]

    def _commands(self) -> list[str]:
        guessed = [guesses[0].terms for guesses in self.guesses.values() if guesses]
        if guessed and not any('command' in terms for terms in guessed):
            return []
        return [
            'commands:  # in the order of the command; others, or none of these, as trained',
            *(
                _place(f'  {name}', f'[lowest, highest] of the training, {unit}; or null')
                for name, unit in TWIST.items()
            ),
        ] + (self._phase() if any('phase' in terms for terms in guessed) else [])

    def _phase(self) -> list[str]:
        return [
            'phase:',
            _place('  frequency', 'Hz, of the gait clock'),
            _place('  start', 'rad, a list: one for each foot'),
            _place('  wrap', 'pi: to [-pi, pi); two_pi: to [0, 2 pi); none'),
        ]

    def _observation(self) -> list[str]:
        if len(self._observed) == 1:
            return ['observation:', *self._block(self._observed[0], '  ')]
        lines = ['observation:  # one entry for each input']
        for node in self._observed:
            first, *rest = self._block(node, '    ')
            lines += [f'  - {first.strip()}', *rest]
        return lines

    def _block(self, node: Tensor, indent: str) -> list[str]:
        guesses = self.guesses[node.name]
        lines = [f'{indent}input: {_quoted(node.name)}  # {_describe(node)}']
        rows = _rows(node)
        frames = rows or (guesses[0].frames if guesses else 1)
        if frames > 1:
            lines.append(f'{indent}history:')
            lines.append(_place(f'{indent}  length', f'frames; guessed: {frames}'))
            lines += [_place(f'{indent}  {key}', text) for key, text in HISTORY.items()]
        if len(guesses) > 1:
            lines += [f'{indent}# As many numbers: {guess}' for guess in guesses[1:]]
        lines.append(f'{indent}terms:  # in the order of the network')
        return lines + self._terms(node, guesses, indent + '  ')

    def _terms(self, node: Tensor, guesses: list[Guess], indent: str) -> list[str]:
        if node.dtype not in FLOATS:
            source = (
                'first_step' if DTYPES.get(node.dtype, DTYPES[FLOATS[0]]).kind == 'b' else 'step'
            )
            return [_place(f'{indent}- source', f'guessed: {source}, since it is {node.dtype}')]
        if not guesses:
            size = _size(node)
            known = f'{size} numbers in all' if size else 'an open number in all'
            return [
                _place(f'{indent}- source', f'add the terms, {known}: {", ".join(SOURCES)}'),
                _place(f'{indent}  scale', SCALE),
            ]
        lines = []
        for source, count in guesses[0].terms.items():
            lines.append(_place(f'{indent}- source', f'guessed: {source}, {count} numbers'))
            for key, text in OWN_KEYS.get(source, {}).items():
                lines.append(_place(f'{indent}  {key}', text))
            lines.append(_place(f'{indent}  scale', SCALE))
        return lines

    def _action_lines(self) -> list[str]:
        lines = ['action:']
        if len(self._outputs) > 1:
            lines.append(_place('  output', f'guessed: {self._action.name}'))
        if self._actions != len(self._robot.joint_names):
            lines.append(
                _place(
                    '  joints',
                    f'names of the {self._actions or ""} joints of the action, in its order',
                )
            )
        lines += [
            _place('  relative_to', 'default_pose, zero, joint_positions or last_target'),
            _place('  scale', 'rad per unit of the output: a number, or one each'),
        ]
        if self._states:
            lines += ['states:', '  pair:  # which output feeds which input in the next step']
            lines += [
                _place(f'    {_quoted(name)}', f'guessed by its shape: {output}')
                for name, output in self._states.items()
            ]
        return lines


def _pair_states(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> dict[str, str]:
    """Guess which inputs are states: those behind the first that have an output of their shape."""
    left = list(outputs)
    pairs = {}
    for node in inputs[1:]:
        match = next((o for o in left if (o.shape, o.dtype) == (node.shape, node.dtype)), None)
        if match is not None:
            left.remove(match)
            pairs[node.name] = match.name
    return pairs


def _size(node: Tensor) -> int | None:
    """Return the numbers of a tensor for one robot; None where its last size is open."""
    if not node.shape:
        return 1
    *outer, last = node.shape
    if not isinstance(last, int) or last < 1:
        return None
    return last * math.prod(size for size in outer if isinstance(size, int) and size > 0)


def _rows(node: Tensor) -> int | None:
    """Return the frames of an input that takes one a row, or None."""
    rows = node.shape[-2] if len(node.shape) > 1 else None
    return rows if isinstance(rows, int) and rows > 1 else None


def _describe(node: Tensor) -> str:
    shape = ', '.join('?' if size is None else str(size) for size in node.shape)
    return f'{node.name} [{shape}]'


def _place(key: str, expected: str) -> str:
    return f'{key}: {_quoted(fill_in(expected))}'


def _quoted(text: str) -> str:
    """Return text as a YAML scalar on one line."""
    return "'" + _one_line(text).replace("'", "''") + "'"


def _one_line(text: str) -> str:
    """Escape what would end a line: names come from files of others."""
    return printable(text).replace('\n', ' ').replace('\t', ' ')
