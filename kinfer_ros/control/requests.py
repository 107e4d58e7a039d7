"""What was asked of a controller since its last tick; the next tick obeys it."""

from __future__ import annotations

from dataclasses import dataclass

from kinfer_ros.control.settings import LiveSettings


@dataclass
class Requests:
    """
    Requests that wait for the next tick; '' and None where there is none.

    :ivar fault: a cause that only the shell around the controller can see.
    """

    run: bool = False
    stop: str = ''
    fade: bool = False
    fault: str = ''
    live: LiveSettings | None = None

    def forget_modes(self) -> None:
        """Forget what asks for another mode; live settings stay."""
        self.run, self.stop, self.fade, self.fault = False, '', False, ''
