"""Requests to a controller; its next tick obeys them, so that a recorded run can be replayed."""

from collections.abc import Callable
from dataclasses import dataclass

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.motion import OperatedMotion
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.swap import PolicySwap
from kinfer_ros.control.policy.swap import loaded
from kinfer_ros.control.policy.via_pose import ViaPose
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tuning.live_tuning import LiveTuning


@dataclass
class Requests:
    """
    Requests for the next tick; '': no request.

    :ivar fault: a cause outside the controller.
    """

    run: bool = False
    stop: str = ''
    fade: bool = False
    fault: str = ''

    def forget_modes(self) -> None:
        """Drop all requests."""
        self.run, self.stop, self.fade, self.fault = False, '', False, ''


class Requestable:
    """
    What others may ask of a controller between two ticks.

    :ivar mode: of the newest tick.
    :ivar settings: fixed for a session.
    :ivar tuning: the live settings.
    """

    mode: Mode
    settings: SessionSettings
    tuning: LiveTuning
    _requests: Requests
    _motion: OperatedMotion
    _swap: PolicySwap
    _via: ViaPose
    _fade_ns: int

    def request_run(self) -> str:
        """Request `run`; :return: why the mode does not allow it, or ''."""
        if self.mode is not Mode.HOLD:
            return f'start is refused in mode {self.mode}: it needs mode hold'
        self._requests.run = True
        return ''

    def request_motion(self, word: str) -> str:
        """Request one of the words of a motion; :return: why it is refused, or ''."""
        if self._via.active:  # it begins anew with the policy
            return f'motion {word} is refused: the robot is on its way through a pose'
        return self._motion.request(word, self.mode)

    def request_stop(self, reason: str) -> None:
        """Request latched damping, in any active mode."""
        self._requests.stop = reason

    def request_fade(self, max_ns: int | None = None) -> None:
        """Request a fade, in `max_ns` at most."""
        self._requests.fade = True
        if max_ns is not None:
            self._fade_ns = min(self._fade_ns, max_ns)

    def request_fault(self, reason: str) -> None:
        """Request a fault, for a cause outside the controller."""
        self._requests.fault = reason

    def request_live_settings(self, live: LiveSettings) -> None:
        """Request new live settings; while inactive they take effect at once."""
        self.tuning.request(live)
        if self.mode is Mode.INACTIVE:
            self.tuning.follow(jump=True)

    def request_swap(self, bound: BoundPolicy, done: Callable[[str], None]) -> None:
        """Request another policy, bound to the same robot and inputs; `done` as in PolicySwap."""
        self._swap.request(loaded(bound, self.settings.blend_ns, done))
