"""What to do after a run: for each guard that can end one, a sentence and a command."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROGRAM = 'python -m kinfer_ros'
REPLAY = f'{PROGRAM} replay {{run}}'
CHECK = f'{PROGRAM} check {{model}} --robot {{robot}}{{spec}}'
LIVE = f'{CHECK} --live'
EVAL = f'{PROGRAM} eval {{model}} --robot {{robot}}{{spec}}'
DOCTOR = f'{PROGRAM} doctor'
TOP = f'{PROGRAM} top'


@dataclass(frozen=True)
class Advice:
    """:ivar command: to be copied; '' where there is none."""

    text: str
    command: str = ''


GUARD_ADVICE: dict[str, tuple[tuple[str, str], ...]] = {
    'tilt': (
        ('Look at the plots before the fall: a push, a command the robot did not follow, or '
         'joints at their limit come first; the tilt comes last.', ''),
        ('How often does this policy fall in simulation, under pushes, noise and delay?', EVAL),
    ),
    'stale': (('Do the sensors come at their rate, and is the machine fast enough?', LIVE),
              ('Overloaded machine, middleware, shared memory?', DOCTOR)),
    'future': (('The clocks of the hosts differ: is one of them kept by chrony or ptp?', DOCTOR),),
    'frozen': (('Does the driver still read its sensor? Its numbers should never stand still.',
                LIVE),),
    'order': (('More than one publisher, or a driver that sends old samples?', LIVE),),
    'sample': (('What does the driver send? The message names what cannot be used.', LIVE),),
    'joints': (('Which node publishes joint_states? Only one may.', LIVE),),
    'finite': (('Look at that sensor: cable, driver, division by zero.', LIVE),),
    'position': (('Units (rad, not degrees), zero offsets and the limits of the robot file.',
                  CHECK),),
    'speed': (('Is the limit right? It is velocity_limit of the robot file times '
               'joint_speed_factor. If so: gains and signs of the robot file, or a velocity that '
               'is not in rad/s.', CHECK),),
    'tracking': (('Blocked, without torque, or turned the other way? Gains, torque limits and '
                  'signs.', CHECK),),
    'temperature': (('Let it cool. Which joint works hardest is in the torques below.', TOP),),
    'battery': (('Charge it.', TOP),),
    'clock': (('Is there more than one publisher of /clock, or did somebody set the time?',
               DOCTOR),),
    'missed': (('The machine or the policy is too slow for the rate.', DOCTOR),),
    'stall': (('This machine did not run the node: other programs, power saving, a container.',
               DOCTOR),),
    'input': (('A sensor number that the policy takes is not finite.', LIVE),),
    'output': (('Does the policy do this again on the recorded inputs? If so it is the model, '
                'not the machine.', REPLAY),),
    'recovery': (('Why it could not get up stands in the cause; conditions are in the policy '
                  'set.', CHECK),),
    'shell': (('Is the bridge running and enabled, and does it report the same gains?', TOP),),
}  # fmt: skip
"""By guard: sentence and command."""

_TEXTS = {
    'tilt': r'the base is tilted', 'stale': r' stale|no message yet|stalled', 'future': r'future',
    'frozen': r'frozen', 'finite': r'finite number|too large', 'position': r'is measured at',
    'speed': r' moves at .* rad/s', 'tracking': r'does not follow', 'temperature': r'deg C',
    'battery': r'battery', 'clock': r'clock', 'missed': r'ticks missed',
    'output': r'polic\w+|action',
}  # fmt: skip
"""What the fault of a guard says, where run.json does not name the guard; the first counts."""


def guard_of(text: str, facts: Mapping[str, Any]) -> str:
    """Return the guard of a fault, or ''."""
    counted = facts.get('guards')
    counts = counted if isinstance(counted, Mapping) else {}
    faulted = [
        name for name, each in counts.items() if isinstance(each, Mapping) and each.get('faults')
    ]
    if 'stalled' in text:
        return 'stall'
    if len(faulted) == 1:
        return str(faulted[0])
    matches = [name for name, words in _TEXTS.items() if re.search(words, text)]
    return next((name for name in matches if name in faulted or not faulted), '')


def advice_for(
    guard: str, words: Mapping[str, str], *, good: bool, killed: bool, alone: bool
) -> list[Advice]:
    """
    Return what to do next.

    :param words: run, model, robot and spec, quoted for a shell.
    :param alone: a step log without run.json.
    """
    if alone:
        found: tuple[tuple[str, str], ...] = (
            ('The same numbers as a table.', f'{PROGRAM} export {{run}}'),
        )
    elif killed:
        found = (('Put its bag and its records in order.', f'{PROGRAM} repair {{run}}'),)
    elif good:
        found = (
            ('Lay another run over this one.', f'{PROGRAM} report {{run}} OTHER_RUN'),
            ('Is it as good under pushes, noise and delay?', EVAL),
        )
    else:
        found = GUARD_ADVICE.get(guard, ())
        if REPLAY not in (command for _, command in found):
            again = 'Does the policy answer the recorded inputs in the same way, bit for bit?'
            found = (*found, (again, REPLAY))
    return [Advice(text, command.format_map(words)) for text, command in found]
