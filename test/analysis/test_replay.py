"""A log replays its run to the bit, and every change is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies.flat_policies import FLAT
from helpers.recorded import other_model
from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.differences import Outcome
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.control.assembly import bind
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import load_model

SECONDS = 3.0


def replay(path: Path, model: Path = MODEL, spec: Path | None = None, **options) -> Outcome:
    run = RecordedRun.open(path)
    found = Replay(run, load_model(model, spec=spec), lambda name: load_model(MODEL), **options)
    for record in run.records():
        found.feed(record)
    return found.outcome


def edit(path: Path, change) -> None:
    """Rewrite the step log with `change` applied to each record; None drops it."""
    log = path / 'steps.ndjson'
    lines = [change(json.loads(line)) for line in log.read_bytes().splitlines()]
    log.write_bytes(b''.join(orjson.dumps(line) + b'\n' for line in lines if line is not None))


def tuned(step: int, simulation) -> None:
    """A run with changes of every live setting between the policy and the robot."""
    settings = simulation.controller.live.copy()
    for at, change in (
        (40, {'action_scale': 0.7}),
        (60, {'target_slew': 2.0, 'torque_band': 0.3}),
        (90, {'target_lowpass': 6.0, 'kp_factor': 0.8, 'kd_factor': 1.1}),
        (120, {'action_scale': 1.0, 'stale_timeout': 0.3}),
    ):
        if step == at:
            simulation.controller.request_live_settings(replace(settings, **change))


@pytest.fixture(scope='module')
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('walk'), SECONDS, tuned)


@pytest.fixture
def copy(walk: Path, tmp_path: Path) -> Path:
    for name in ('run.json', 'steps.ndjson'):
        (tmp_path / name).write_bytes((walk / name).read_bytes())
    return tmp_path


def test_a_run_with_changes_replays_to_the_bit(walk):
    """With active limits, or it would prove nothing about targets."""
    outcome = replay(walk)
    assert outcome.identical
    assert outcome.replayed == outcome.run_records == SECONDS * 50
    for name in ('output', 'target'):
        assert outcome.tensors[name].compared == SECONDS * 50
    assert len(outcome.changes) == 8
    events = [e for r in RecordedRun.open(walk).records() for e in r['events']]
    for guard in ('slew', 'torque'):
        assert any(guard in event for event in events), f'{guard} never limited a target'


@pytest.mark.parametrize('flat', [f for f in FLAT if f.path], ids=lambda flat: flat.name)
def test_flat_policies_replay_to_the_bit(flat, tmp_path):
    """History, last action and gait clock are in the carry; some have no joint velocities."""
    robot = flat.robot_yaml(tmp_path)
    path = record_run(
        tmp_path, 2.0, robot=str(robot), model=str(flat.path), spec=str(flat.spec),
        default_command=[flat.speed, 0.0, 0.0], torque_band=0.5,
    )  # fmt: skip
    outcome = replay(path, flat.path, flat.spec)
    assert outcome.identical, outcome.first
    assert outcome.tensors['target'].compared == 100


@pytest.mark.parametrize('tensor', ['output', 'target', 'carry'])
def test_one_bit_is_found(copy, tensor):
    """The difference names the first step, tensor and index."""
    records = RecordedRun.open(copy).records()
    held = [r['step_id'] for r in records if r[tensor] is not None and r['mode'] == 'run']
    step = held[len(held) // 2]

    def change(record):
        if record['step_id'] == step:
            value = np.array(record[tensor], np.float32)
            value.view(np.uint32)[5] ^= 1
            record[tensor] = value.astype(float).tolist()
        return record

    edit(copy, change)
    outcome = replay(copy)
    first = outcome.first
    assert (first.step_id, first.tensor, first.index) == (step, tensor, 5)
    assert 0 < first.size < 1e-6
    assert not outcome.identical
    assert outcome.within


def test_after_a_gap_it_goes_on_at_the_next_carry(copy):
    """After dropped records, replay continues within a second."""
    edit(copy, lambda record: None if 70 <= record['step_id'] < 95 else record)
    outcome = replay(copy)
    assert outcome.missing == [(70, 94)]
    assert outcome.identical
    assert 0 < outcome.skipped < 50
    assert outcome.replayed + outcome.skipped + 25 == SECONDS * 50


def test_a_log_that_is_cut_replays_up_to_there(copy):
    """The log of a killed run."""
    log = copy / 'steps.ndjson'
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    outcome = replay(copy)
    assert outcome.identical
    assert 20 < outcome.replayed < SECONDS * 50


def test_a_swap_replays_to_the_bit(tmp_path):
    """Both policies run during the blend; their mixture was sent."""
    incoming = load_model(other_model(tmp_path))

    def swap(step: int, simulation) -> None:
        if step == 73:
            fitted = bind(incoming, simulation.robot.robot, simulation.controller.inputs)
            simulation.controller.request_swap(fitted, lambda reason: None)

    path = record_run(tmp_path, SECONDS, swap)
    run = RecordedRun.open(path)
    asked: list[str] = []

    def find(name):
        asked.append(name)
        return load_model(tmp_path / 'other.kinfer')

    found = Replay(run, load_model(MODEL), find)
    for record in run.records():
        found.feed(record)
    assert asked == [incoming.contract.sha256[:12]]
    assert found.outcome.identical, found.outcome.first
    assert found.outcome.tensors['target'].compared == SECONDS * 50


def test_another_model_is_compared_not_judged(walk, tmp_path):
    """Another policy runs on the recorded inputs with its own carry."""
    outcome = replay(walk, other_model(tmp_path), other=True)
    assert outcome.replayed == SECONDS * 50
    assert outcome.tensors['output'].compared == SECONDS * 50
    assert outcome.tensors['carry'].compared == 0


def test_a_model_of_another_robot_is_refused(walk):
    """The error lists the joints of both."""
    flat = FLAT[0]
    if flat.path is None:
        pytest.skip('the shared flat policies are not here')
    with pytest.raises(ContractError, match='left_knee'):
        replay(walk, flat.path, flat.spec, other=True)


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('run.json', '{', 'is not JSON'),
        ('run.json', '[]', 'expected an object'),
        ('run.json', '{}', 'joint_order'),
        ('steps.ndjson', '{"step_id": 1}\n', 'record 1'),
    ],
)
def test_what_is_no_run_is_one_clear_error(copy, name, content, words):
    """The error names the wrong or damaged file."""
    (copy / name).write_text(content)
    with pytest.raises(RunError, match=words):
        replay(copy)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_record_breaks_a_reader(walk, tmp_path_factory, data):
    """For any value under any key, replay and columns continue or raise a clear error."""
    lines = (walk / 'steps.ndjson').read_bytes().splitlines()[:60]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        record = json.loads(lines[at])
        key = data.draw(st.sampled_from(sorted(record)))
        if isinstance(record[key], dict) and record[key] and data.draw(st.booleans()):
            record[key][data.draw(st.sampled_from(sorted(record[key])))] = data.draw(ANY_JSON)
        else:
            record[key] = data.draw(ANY_JSON)
        lines[at] = json.dumps(record).encode()  # which writes NaN: no JSON, as from others
    folder = tmp_path_factory.mktemp('fuzz')
    (folder / 'run.json').write_bytes((walk / 'run.json').read_bytes())
    (folder / 'steps.ndjson').write_bytes(b'\n'.join(lines))
    for read in (replay, lambda path: read_columns(RecordedRun.open(path))):
        try:
            read(folder)
        except KinferRosError as error:
            assert str(error)
