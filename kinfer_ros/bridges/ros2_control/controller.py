"""What is known of a forward_command_controller, and why it must not be commanded.

It drops a message with a number that is not finite, fails on one of another length, keeps the last
one for ever, and forgets it when it is activated (ros2_controllers, forward_controllers_base.cpp).
"""

from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.bridges import SECOND

INTERFACE = 'position'
ACTIVE = 'active'
TOLD_NS = 5 * SECOND
"""Time for which the state of the controller holds; its manager says it once a second."""


class Controller:
    """
    One controller; every `now_ns` is of the steady clock.

    :param name: as in messages.
    :param joint_names: of the robot file, in its order.
    :param check_active: require that the controller manager says that it is active.
    """

    def __init__(self, name: str, joint_names: tuple[str, ...], *, check_active: bool) -> None:
        self.name = name
        self._names = joint_names
        self._order: Indices | None = None
        self._wrong = f'it does not answer {name}/get_parameters: is it loaded and configured?'
        self._check_active = check_active
        self._state = ''
        self._told_ns = 0
        self.listeners = 0
        """Subscriptions of its topic."""
        self.rivals: Sequence[str] = ()
        """Other nodes that publish on its topic."""

    def on_silence(self, seconds: float) -> None:
        """Take notice that it did not say its parameters in time."""
        self._order = None
        self._wrong = (
            f'{self.name}/get_parameters was not answered within {seconds:g} s: does its '
            'controller manager hang?'
        )

    def on_parameters(self, joints: Sequence[str] | None, interface: str | None) -> None:
        """Take its parameters `joints` and `interface_name`; None for one that it lacks."""
        self._order = None
        self._wrong = self._find_wrong(joints, interface)
        if joints and not self._wrong:
            index = {name: i for i, name in enumerate(self._names)}
            self._order = np.array([index[name] for name in joints], np.intp)

    def on_state(self, state: str, now_ns: int) -> None:
        """Take its state in the life cycle, as its manager says it."""
        self._state, self._told_ns = state, now_ns

    def problem(self, now_ns: int) -> str:
        """Return why it must not be commanded now, or ''."""
        found = self._wrong or self._activity_problem(now_ns)
        if not found and not self.listeners:
            found = f'nobody listens to {self.name}/commands: was it unloaded?'
        if not found and self.rivals:
            found = f'{", ".join(self.rivals)} publishes on {self.name}/commands as well: end it'
        return f'controller {self.name}: {found}' if found else ''

    def in_order(self, target: Float64) -> Float64:
        """Return targets [N] rad of the robot's order in the controller's."""
        assert self._order is not None, 'nothing is sent before its order is known'
        return target[self._order]

    @property
    def is_known(self) -> bool:
        """Whether its order is known and it fits the robot."""
        return self._order is not None

    def _find_wrong(self, joints: Sequence[str] | None, interface: str | None) -> str:
        if joints is None or interface is None:
            return (
                'it lacks one of the parameters joints (names) and interface_name (text): '
                'expected a forward_command_controller/ForwardCommandController'
            )
        if interface != INTERFACE:
            return (
                f'it forwards {interface[:60]!r}, expected interface_name {INTERFACE}: a policy '
                'gives positions, and nothing here turns them into torques'
            )
        lacking = [name for name in self._names if name not in joints]
        foreign = [name for name in joints if name not in self._names]
        if lacking or foreign or len(joints) != len(self._names):
            said = [f'lacks {", ".join(lacking)}'] if lacking else []
            said += [f'has {", ".join(foreign)[:300]}'] if foreign else []
            said += [] if said else ['has a joint twice']
            return f'it {" and ".join(said)}: expected exactly the joints of the robot file'
        return ''

    def _activity_problem(self, now_ns: int) -> str:
        if not self._check_active:
            return ''
        if not self._told_ns or now_ns - self._told_ns > TOLD_NS:
            return (
                'its controller manager does not say on /diagnostics that it is active '
                '(check_active:=false does without)'
            )
        return '' if self._state == ACTIVE else f'it is {self._state[:60] or "in no state"}'
