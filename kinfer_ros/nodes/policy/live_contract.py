"""Checks the contracts of all policies on the live graph at configure, like `check --live`."""

from collections.abc import Callable
from typing import Any

from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.ros.live.live_check import Sources
from kinfer_ros.ros.live.live_check import check_from_inside
from kinfer_ros.run.setup import PolicySetup


def check_live_contract(
    setup: PolicySetup, sources: Sources, warn: Callable[[str], Any], *, lockstep: bool, sim: bool
) -> None:
    """
    Check the messages that the sensors publish.

    :param warn: logs the warnings of the report.
    :raises ContractError: with the lines of the report that are not ok.
    :raises NotReady: messages are missing, late or too few; a retry may succeed.
    """
    live = check_from_inside(
        [*setup.policies.values()],
        setup.robot,
        sources,
        setup.rate_hz,
        lockstep=lockstep,
        sim=sim,
    )
    report = [*setup.report, *live]
    raise_if_failed(report, setup.path, setup.robot)
    for row in report:
        if row.verdict == WARN:
            warn(f'contract: {as_table([row])}')
