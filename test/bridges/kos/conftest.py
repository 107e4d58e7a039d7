"""The KOS server of the tests, which needs pykos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kos_rig import IDS
from kos_rig import KBOT

if TYPE_CHECKING:
    from helpers.peers.kos_server import KosServer


@pytest.fixture
def server() -> Iterator[KosServer]:
    """A server that moves and misbehaves, with the robot at its start pose."""
    pytest.importorskip('kos_protos', reason='needs pykos (requirements/kos.txt)')
    from helpers.peers.kos_server import KosServer

    with KosServer(IDS) as made:
        for i, actuator in enumerate(made.actuators.values()):
            actuator.position = np.degrees(KBOT.home[i])
        yield made
