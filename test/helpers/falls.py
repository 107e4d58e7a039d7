"""A small robot with a policy to get up with, on a fake clock; and the ways of its recovery."""

from __future__ import annotations

import math
from pathlib import Path

from helpers.robots import PERIOD_NS
from helpers.robots import START_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set

LYING = math.pi / 2
"""rad by which the base is tilted."""
STILL_TICKS, ANNOUNCED_TICKS, UPRIGHT_TICKS = 100, 150, 50
SET = """enter: walk
policies:
  walk: {model: level_0.1.kinfer}
  getup: {model: level_0.5.kinfer, kp_factor: 0.5}
  stand: {model: level_0.2.kinfer}
transitions:
  - {from: any, to: getup, automatic: fallen, timeout_s: 4.0}
  - {from: getup, to: stand, automatic: upright, conditions: {max_tilt: 0.3}}
  - {from: stand, to: walk}
"""


class SetRig(Rig):
    """A rig of a policy set: 0.1, 0.5 and 0.2 rad of two joints; 0.5 gives NaN when told."""

    def __init__(
        self,
        folder: Path,
        text: str = SET,
        robot=None,
        tunables: LiveSettings | None = None,
        **more,
    ) -> None:
        """:param more: of SessionSettings; recovery is allowed unless they say otherwise."""
        for level in (0.1, 0.2):
            level_policy(folder, level)
        level_policy(folder, 0.5, breakable=True)
        path = folder / 'set.yaml'
        path.write_text(text)
        loaded, robot = load_set(path), robot or small_robot(folder)
        live = tunables or LiveSettings(frozen_timeout=0.0)
        super().__init__(loaded.entry, robot, tunables=live)
        settings = SessionSettings(PERIOD_NS, **{'allow_recovery': True, **more})
        self.controller = assemble_set(loaded, robot, settings, live)
        self.runner = self.controller._parts.runner
        self.frame = self.controller.inputs.frame
        self.set_pose(0.0)
        self.now = START_NS
        self.sense()

    def ask(self, name: str) -> str:
        """Ask for a policy; :return: the refusal, or ''."""
        return self.controller.policies.request(name, self.controller.mode)

    @property
    def running(self) -> str:
        """The policy that runs, or that runs next."""
        return self.controller.policies.running

    @property
    def mode(self) -> str:
        """Mode and reason, as on ~/mode."""
        assert self.outcome is not None
        return str(self.outcome)

    def lie(self) -> None:
        """Lie on the side, at rest."""
        self.tilt(LYING)

    def fall(self) -> None:
        """Walk, and fall in this tick."""
        if self.controller.mode is not Mode.RUN:
            self.run()
        self.lie()
        self.tick()

    def bring(self, stage: str) -> None:
        """Fall, and go on to a stage: lying, announced or rising."""
        self.fall()
        if stage == 'lying':
            self.tick(STILL_TICKS // 2)
        elif stage == 'announced':
            self.tick(STILL_TICKS + ANNOUNCED_TICKS // 2)
        else:
            self.tick(STILL_TICKS + ANNOUNCED_TICKS + 10)
        expected = {'lying': 'lain still', 'announced': 'begins in', 'rising': 'policy getup'}
        assert expected[stage] in self.mode, self.mode
