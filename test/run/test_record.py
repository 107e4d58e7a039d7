"""A record has every key its readers index, and its arrays read back to the last bit."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.step_records import ALL
from helpers.step_records import JOINTS
from helpers.step_records import SIZES
from helpers.step_records import STAGES
from helpers.step_records import produce
from helpers.step_records import small_format
from kinfer_ros.errors import ModelError
from kinfer_ros.run.record import HAS_INPUTS
from kinfer_ros.run.record import HAS_OUTPUT
from kinfer_ros.run.record import RecordFormat
from kinfer_ros.run.record import restore

KINFER = {
    'step_id',
    't_us',
    'joint_angles',
    'joint_vels',
    'projected_g',
    'accel',
    'gyro',
    'command',
    'output',
}
OURS = {
    'joint_order',
    'joint_velocities',
    'inputs',
    'target',
    'mode',
    'events',
    'age_us',
    'late_us',
    'stage_us',
    'stamp_ns',
    'activation',
    'carry',
    'measured_position',
    'measured_velocity',
    'joint_torques',
    'joint_temps',
    'odom',
    'now_ns',
    'resume',
}

# Every float32 there is: NaNs with any payload, infinities, denormals, -0.0.
any_bits = hnp.arrays(np.uint32, 3, elements=st.integers(0, 2**32 - 1))
EDGES = (0x80000000, 1, 0x007FFFFF, 0x7F800000, 0xFF800000, 0x7FC00001, 0x7F7FFFFF)
edge_bits = hnp.arrays(np.uint32, 3, elements=st.sampled_from(EDGES))


def line_of(record_format=None, flags=ALL, **arrays) -> dict:
    record_format = record_format or small_format()
    ring = record_format.make_ring(2)
    assert produce(ring, 1, flags, **arrays)
    line = record_format.to_json(ring, ring.first())
    assert line.endswith(b'\n')
    assert line.count(b'\n') == 1
    return json.loads(line)


def test_record_has_every_key_of_both_readers():
    """Kinfer's plotter indexes its keys and kplot wants ours: an absent key is an error there."""
    assert set(line_of()) == KINFER | OURS


@pytest.mark.parametrize('absent', list(SIZES))
def test_input_the_policy_lacks_is_null(absent):
    """A policy without gyroscope must still give a record that kinfer's plotter can index."""
    sizes = {name: size for name, size in SIZES.items() if name != absent}
    record = line_of(RecordFormat(JOINTS, sizes, 0, STAGES))
    assert set(record) == KINFER | OURS
    full = line_of(RecordFormat(JOINTS, SIZES, 0, STAGES))
    lost = {key for key in full if record[key] is None and full[key] is not None}
    if absent in ('quaternion', 'time'):
        assert absent not in record['inputs']
    else:
        assert lost


def test_policy_with_other_inputs_only():
    """A flat-vector policy has none of kinfer's inputs: its own stands under 'inputs'."""
    record = line_of(RecordFormat(JOINTS, {'obs': 4}, 0, ()))
    assert record['joint_angles'] is None
    assert record['joint_velocities'] is None
    assert len(record['inputs']['obs']) == 4
    assert record['stage_us'] == {}


def test_what_the_robot_does_not_report_is_null():
    """Not zero, and no number that JSON cannot hold: nothing was measured."""
    some = line_of(joint_torques=[1.5, np.nan, np.inf], joint_temps=[np.nan] * 3)
    assert some['joint_torques'] == [1.5, None, None]
    assert some['joint_temps'] is None
    assert 'nonfinite' not in some
    assert 'battery' not in some
    back = restore(some)
    np.testing.assert_array_equal(back['joint_torques'], np.float32([1.5, np.nan, np.nan]))


@pytest.mark.parametrize(('charge', 'logged'), [(0.87, 0.87), (np.nan, None), (0.0, 0.0)])
def test_the_battery_is_there_where_it_was_asked_for(charge, logged):
    """Most runs need no further key."""
    record = line_of(RecordFormat(JOINTS, SIZES, 0, STAGES, battery=True), battery=[charge])
    assert record['battery'] == logged
    assert 'nonfinite' not in record


def test_parts_without_flag_are_null():
    """In damping nothing was inferred or sent; stale arrays of the slot must not be logged."""
    record = line_of(flags=0)
    for key in KINFER - {'step_id', 't_us'} | {'inputs', 'target', 'carry', 'age_us', 'stamp_ns'}:
        assert record[key] is None, key
    assert record['mode'] == 'run'
    assert record['late_us'] == 12
    record = line_of(flags=HAS_INPUTS | HAS_OUTPUT)
    assert record['target'] is None
    assert record['output'] is not None


def test_values_and_order():
    """Each array stands under the key its reader expects, in the policy's joint order."""
    arrays = {
        'joint_angles': [0.1, 0.2, 0.3],
        'joint_angular_velocities': [1, 2, 3],
        'output': [4, 5, 6],
        'target': [7, 8, 9],
        'stage_us': [10.04, 20.06],
    }
    record = line_of(**arrays)
    assert record['joint_angles'] == [0.1, 0.2, 0.3]
    assert record['joint_vels'] == record['joint_velocities'] == [1.0, 2.0, 3.0]
    assert record['output'] == [4.0, 5.0, 6.0]
    assert record['target'] == [7.0, 8.0, 9.0]
    assert record['stage_us'] == {'sensors': 10.0, 'infer': 20.1}
    assert record['joint_order'] == list(JOINTS)
    assert record['events'] == []
    assert record['stamp_ns'] == 20_000_000


def test_reserved_input_name_is_refused():
    """An input called 'output' would overwrite the action in the log."""
    with pytest.raises(ModelError, match='output'):
        RecordFormat(JOINTS, {'output': 3}, 0, ())


@given(angles=any_bits | edge_bits, target=any_bits | edge_bits, time=any_bits)
def test_every_float32_reads_back_to_the_same_bits(angles, target, time):
    """Replay compares bits: shortest decimals, denormals, -0.0, NaN payloads must all survive."""
    layout = RecordFormat(JOINTS, {'joint_angular_velocities': 3, 'time': 3}, 3, ())
    ring = layout.make_ring(1)
    slot = ring.claim()
    sent = {'joint_angular_velocities': angles, 'target': target, 'time': time, 'carry': time}
    for name, bits in sent.items():
        ring.f32[name].view(np.uint32)[slot] = bits
    ring.i64['flags'][slot] = ALL
    ring.publish()
    record = restore(orjson.loads(layout.to_json(ring, slot)))
    for key in ('joint_vels', 'joint_velocities'):
        assert (record[key].view(np.uint32) == angles).all()
    assert (record['target'].view(np.uint32) == target).all()
    assert (record['inputs']['time'].view(np.uint32) == time).all()
    assert (record['carry'].view(np.uint32) == time).all()


def test_nonfinite_is_listed_and_still_valid_json():
    """JSON has no NaN: strict parsers must read the line, and the place and bits must be there."""
    record = line_of(output=[1.0, np.nan, -np.inf])
    assert record['output'] == [1.0, None, None]
    assert ['output', 1, 0x7FC00000] in record['nonfinite']
    assert ['output', 2, 0xFF800000] in record['nonfinite']


def test_nonfinite_of_an_absent_part_is_not_listed():
    """A NaN left in a slot by an older record is not part of this one."""
    record = line_of(flags=HAS_INPUTS, output=[np.nan] * 3)
    assert record.get('nonfinite') is None
