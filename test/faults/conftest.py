"""Graphs that are broken on purpose; they find each other fast, since there are dozens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope='module', autouse=True)
def announce_often() -> Iterator[None]:
    """Whatever starts here announces itself five times a second, where Fast DDS is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            'FASTDDS_DEFAULT_PROFILES_FILE', str(Path(__file__).with_name('announce.xml'))
        )
        yield
