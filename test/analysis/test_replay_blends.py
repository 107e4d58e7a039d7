"""A blend between two policies of a set replays: the outgoing one saw the same moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.policies import flat_models
from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.control.modes import Mode
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

SET = """enter: walk
policies:
  walk: {{model: {model}}}
  soft: {{model: {model}, action_scale: 0.9}}
  lean: {{model: lean.onnx, spec: lean.yaml}}
transitions:
  - {{from: walk, to: soft, blend_s: 0.1}}
  - {{from: walk, to: lean, blend_s: 0.1}}
"""


def recorded(folder: Path, name: str) -> Path:
    """Walk for a second, then blend to another policy within five ticks."""
    robot = load_robot('biped')
    content = flat_models.spec(
        [{'source': 'gyroscope'}], joints=list(robot.joint_names)[::-1],
        default_pose=robot.home.tolist()[::-1], commands={},
        action={'relative_to': 'default_pose', 'scale': 0.02},
    )  # fmt: skip
    (folder / 'lean.onnx').write_bytes(flat_models.linear(3, len(robot.joint_names))[0])
    flat_models.write_spec(folder / 'lean.yaml', content)
    path = folder / 'set.yaml'
    path.write_text(SET.format(model=MODEL))

    def ask(step: int, simulation: Simulation) -> None:
        controller = simulation.controller
        if controller.mode is Mode.RUN and round(controller.run_ns / 20e6) == 50:
            assert controller.policies.request(name, Mode.RUN) == ''

    return record_run(folder, 1.5, ask, model='', policies=str(path))


@pytest.mark.parametrize(
    ('name', 'unchecked'),
    [
        ('soft', 0),
        # Its records do not have the inputs of the walk: five targets are not compared.
        ('lean', 5),
    ],
)
def test_a_blend_replays(tmp_path, capsys, name, unchecked):
    """To the bit; what the log cannot tell is said to be unchecked, not to differ."""
    path = recorded(tmp_path, name)
    assert main(['replay', str(path), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['verdict'] == 'identical'
    assert found['replayed'] == found['run_records'] == 75
    assert found['unchecked_targets'] == unchecked
    assert found['tensors']['target']['compared'] == 75 - unchecked
