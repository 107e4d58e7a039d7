"""Requests to a controller since its last tick."""

from dataclasses import dataclass


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
