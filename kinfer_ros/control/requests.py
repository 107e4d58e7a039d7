"""Requests to a controller since its last tick."""

from dataclasses import dataclass

from kinfer_ros.control.settings import LiveSettings


@dataclass
class Requests:
    """
    Requests for the next tick; '' and None: no request.

    :ivar motion: start, pause or restart of the policy's motion.
    :ivar fault: a cause outside the controller.
    """

    run: bool = False
    motion: str = ''
    stop: str = ''
    fade: bool = False
    fault: str = ''
    live: LiveSettings | None = None

    def forget_modes(self) -> None:
        """Drop the requests for another mode; live settings stay."""
        self.run, self.stop, self.fade, self.fault, self.motion = False, '', False, '', ''
