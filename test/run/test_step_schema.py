"""Records of real runs keep to the published schema, which tools of others can be built on."""

from __future__ import annotations

import json
from pathlib import Path

import fastjsonschema
import numpy as np
import pytest

import kinfer_ros
from helpers.policies.flat_policies import FLAT
from helpers.recorded import record_run
from helpers.step_records import small_format

SCHEMA = Path(kinfer_ros.__file__).parent / 'run' / 'step.schema.json'
DOCS = Path(__file__).resolve().parents[2] / 'docs' / 'runs.md'


@pytest.fixture(scope='module')
def schema() -> dict:
    return json.loads(SCHEMA.read_text())


@pytest.fixture(scope='module')
def validate(schema):
    return fastjsonschema.compile(schema)


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / 'steps.ndjson').read_bytes().splitlines()]


def test_a_walk_with_a_fault_keeps_to_it(tmp_path, validate, schema):
    """Every mode, a stop in words, carries and resumes."""

    def blind(step, simulation):
        if step == 60:
            simulation.controller.request_fault('the cable is off')

    run = record_run(tmp_path, 1.5, blind)
    records = lines(run)
    for record in records:
        validate(record)
    assert {record['mode'] for record in records} >= {'run', 'fault'}
    assert any(record['resume'] for record in records)
    assert set(records[0]) == set(schema['required'])
    assert json.loads((run / 'run.json').read_text())['step_schema'] == schema['version']
    assert all(record['joint_torques'] for record in records[1:])
    assert not any(record['joint_temps'] for record in records)


@pytest.mark.parametrize('flat', [f for f in FLAT if f.path], ids=lambda flat: flat.name)
def test_flat_policies_keep_to_it(flat, tmp_path, validate):
    """Inputs that kinfer does not know stand under `inputs`."""
    run = record_run(
        tmp_path, 0.5, robot=str(flat.robot_yaml(tmp_path)), model=str(flat.path),
        spec=str(flat.spec),
    )  # fmt: skip
    for record in lines(run):
        validate(record)
    assert bool(record['inputs']) == (flat.name != 'g1')  # whose inputs have all kinfer's names


def test_numbers_that_json_cannot_hold_keep_to_it(validate):
    """NaN and infinity, and what is absent."""
    layout = small_format()
    ring = layout.make_ring(1)
    slot = ring.claim()
    for rows in ring.f32.values():
        rows[slot] = np.nan
    ring.i64['flags'][slot] = 31
    ring.f32['stage_us'][slot] = 1.0
    ring.obj['mode'][slot] = 'run'
    ring.publish()
    record = json.loads(layout.to_json(ring, slot))
    assert record['nonfinite']
    validate(record)


@pytest.mark.parametrize('wrong', [{'mode': 'walk'}, {'step_id': -1}, {'extra': 1}, {'gyro': 3}])
def test_what_is_no_record_is_refused(tmp_path, validate, wrong):
    """A schema that takes anything would hold nobody to anything."""
    layout = small_format()
    ring = layout.make_ring(1)
    slot = ring.claim()
    ring.obj['mode'][slot] = 'hold'
    ring.publish()
    record = json.loads(layout.to_json(ring, slot))
    validate(record)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(record | wrong)


def test_the_docs_name_every_key(schema):
    """docs/runs.md is what people read; a key that is missing there does not exist for them."""
    text = DOCS.read_text()
    assert [key for key in schema['properties'] if f'`{key}`' not in text] == []
