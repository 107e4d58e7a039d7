"""Common driver mistakes are detected in captured sensor messages."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.contract.live_sensors import check_live_sensors
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.contract.sensor_capture import CapturedImu
from kinfer_ros.contract.sensor_capture import CapturedJointState
from kinfer_ros.contract.sensor_capture import CapturedOdometry
from kinfer_ros.contract.sensor_capture import CapturedScan
from kinfer_ros.contract.sensor_capture import SensorCapture
from kinfer_ros.control.sensors import MAX_SPREAD_NS
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.policy.spec.scan import ScanGrid
from kinfer_ros.rotations import rotation_matrix

NAMES = ('joint_1', 'gripper', 'joint_0')  # neither the robot's order nor its joints alone
STEP = 10_000_000
SECOND = 1_000_000_000
LEANING = np.array([math.sin(0.15), 0.0, 0.0, math.cos(0.15)])  # x y z w: 0.3 rad of roll


def up(xyzw):
    """Specific force of an accelerometer at rest in this orientation."""
    x, y, z, w = xyzw
    return 9.81 * rotation_matrix(np.array([w, x, y, z]))[2]


def heard(*, imu=None, joints=None, odom=None, count=100, step=STEP, age=2_000_000, **more):
    """One second of a good driver at 100 Hz, with the given changes."""
    imu = {'frame_id': 'imu_link', 'xyzw': LEANING, 'gyro': np.zeros(3)} | (imu or {})
    imu.setdefault('accel', up(imu['xyzw']))
    joints = {
        'names': NAMES, 'position': np.array([0.2, 9.0, 0.1]), 'velocity': np.zeros(3)
    } | (joints or {})  # fmt: skip
    odom = {'child_frame_id': 'base_link', 'linear': np.array([0.1, 0.0, 0.0])} | (odom or {})
    stamps = [SECOND + index * step for index in range(count)]
    return SensorCapture(
        seconds=1.0,
        joints=[CapturedJointState(stamp, age, **joints) for stamp in stamps],
        imu=[CapturedImu(stamp, age, **imu) for stamp in stamps],
        odom=[CapturedOdometry(stamp, age, **odom) for stamp in stamps],
        **more,
    )


def rows(tmp_path, what, **options):
    robot = options.pop('robot', None) or small_robot(tmp_path)
    options = {'needs_odometry': True} | options
    return {row.what: row for row in check_live_sensors(what, robot, 50.0, **options)}


def test_a_good_driver(tmp_path):
    """Another joint order, an extra joint and a small lean are accepted."""
    found = rows(tmp_path, heard())
    assert {row.verdict for row in found.values()} == {'ok'}, found
    assert 'ignored: gripper' in found['joint names'].found
    assert found['imu/data rate'].found == '100 Hz'


def parts(*lists, age=2_000_000, apart=0, count=100):
    """One second of drivers that each send a list of joints, their stamps `apart` ns."""
    made = heard(count=count)
    made.joints = [
        CapturedJointState(s.stamp_ns + i * apart, age, names, np.full(len(names), 0.1 + i), zeros)
        for s in made.joints
        for i, names in enumerate(lists)
        for zeros in [np.zeros(len(names))]
    ]
    return made


@pytest.mark.parametrize('apart', [0, 4_000_000])
@pytest.mark.parametrize(
    'lists',
    [
        (('joint_0',), ('joint_1',)),
        (('joint_1', 'finger'), ('joint_0',)),
        (('joint_0',), ('joint_1',), ('gripper_left', 'gripper_right')),
        (('gripper_left',), ('joint_0', 'joint_1')),
        (('joint_0', 'joint_1'), ('gripper_left',)),
        (('joint_0', 'joint_1', 'finger', 'finger'),),
    ],
)
def test_joints_of_several_drivers_are_put_together(tmp_path, lists, apart):
    """As in the tick: one driver a limb, and a gripper whose message comes last."""
    found = rows(tmp_path, parts(*lists, apart=apart), needs_odometry=False)
    assert found['joint names'].verdict == 'ok', found['joint names']
    assert found['joint units'].verdict != 'fail'
    assert found['joint_states rate'].found == '100 Hz'


@pytest.mark.parametrize(
    ('lists', 'apart', 'words'),
    [
        ((('joint_0',), ('gripper',)), 0, 'lacks joint_1'),
        ((('gripper',),), 0, 'lacks joint_0, joint_1; it has gripper'),
        ((('joint_0',), ('joint_1',)), MAX_SPREAD_NS + 1, 'lacks joint_0'),
        ((('joint_0', 'joint_1', 'joint_0'),), 0, 'has joint_0 twice'),
    ],
)
def test_joints_that_no_driver_sends_in_time_are_named(tmp_path, lists, apart, words):
    """A part that is too old is a joint that is missing."""
    found = rows(tmp_path, parts(*lists, apart=apart, count=1), needs_odometry=False)
    assert found['joint names'].verdict == 'fail'
    assert words in found['joint names'].found


def test_the_rate_is_that_of_one_driver(tmp_path):
    """Two at 30 Hz are not one at 60."""
    made = parts(('joint_0',), ('joint_1',), apart=4_000_000)
    slow = dataclasses.replace(made, joints=[s for i, s in enumerate(made.joints) if i % 8 < 2])
    found = rows(tmp_path, slow, needs_odometry=False)
    assert found['joint_states rate'].verdict == 'fail'


def test_silence(tmp_path):
    """Each missing topic is named."""
    found = rows(tmp_path, SensorCapture(seconds=1.0))
    assert {name for name, row in found.items() if row.verdict == 'fail'} == {
        'joint_states', 'imu/data', 'odometry',
    }  # fmt: skip
    assert 'odometry' not in rows(tmp_path, SensorCapture(seconds=1.0), needs_odometry=False)


@pytest.mark.parametrize(
    ('imu', 'what', 'words'),
    [
        # The fields x y z w hold w x y z.
        ({'xyzw': np.roll(LEANING, 1), 'accel': up(LEANING)}, 'gravity sign', 'quaternion order'),
        ({'accel': -up(LEANING)}, 'gravity sign', 'the accelerometer gives gravity'),
        (
            {'xyzw': LEANING * [-1, -1, -1, 1], 'accel': up(LEANING)},
            'gravity sign',
            'the world in the IMU',
        ),
        ({'accel': np.array([9.81, 0.0, 0.0])}, 'gravity sign', 'IMU frame'),
        ({'accel': up(LEANING) / 9.81}, 'accelerometer', 'in g'),
        ({'xyzw': np.zeros(4), 'accel': up(LEANING)}, 'quaternion norm', '0'),
        ({'xyzw': 2.0 * LEANING, 'accel': up(LEANING)}, 'quaternion norm', '2'),
        ({'gyro': np.array([200.0, 0.0, 0.0])}, 'gyroscope', '200'),
        ({'has_orientation': False}, 'orientation', 'REP-145'),
    ],
)
def test_mistakes_of_an_imu(tmp_path, imu, what, words):
    """Gravity sign and quaternion order fail."""
    found = rows(tmp_path, heard(imu=imu))
    assert found[what].verdict == 'fail', found[what]
    assert words in found[what].found


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ('turn', 'wrong', 'cause'),
    [
        # x y z w of the true orientation; both causes make the readings agree.
        ((0.0, 0.0, 0.0, 1.0), 'order', 'quaternion order'),
        ((0.0, 0.0, 1.0, 0.0), 'sign', 'the accelerometer gives gravity'),
        ((0.0, 0.0, HALF, HALF), 'order', 'quaternion order'),
        ((0.0, 0.0, HALF, HALF), 'sign', 'the accelerometer gives gravity'),
        ((0.02, 0.03, 0.999, 0.02), 'sign', 'the accelerometer gives gravity'),
    ],
)
def test_of_two_causes_the_one_is_named_with_which_the_robot_stands(tmp_path, turn, wrong, cause):
    """Whatever its heading: the other one would have it stand on its head."""
    true = np.array(turn) / np.linalg.norm(turn)
    imu = {'xyzw': true, 'accel': up(true)}
    if wrong == 'order':
        imu['xyzw'] = np.roll(true, 1)
    else:
        imu['accel'] = -up(true)
    found = rows(tmp_path, heard(imu=imu))
    assert found['gravity sign'].verdict == 'fail'
    assert cause in found['gravity sign'].found
    assert 'IMU mounting' not in found, 'a lean of a wrong orientation is none'


def test_an_upright_robot_with_the_quaternion_in_another_order(tmp_path):
    """The most likely case: (0, 0, 0, 1) read as w x y z is upside down."""
    upright = np.array([0.0, 0.0, 0.0, 1.0])
    found = rows(tmp_path, heard(imu={'xyzw': np.roll(upright, 1), 'accel': up(upright)}))
    assert found['gravity sign'].verdict == 'fail'


def test_what_cannot_be_compared_is_a_warning(tmp_path):
    """A moving robot or an empty accelerometer proves nothing."""
    moving = rows(tmp_path, heard(imu={'gyro': np.array([1.0, 0.0, 0.0])}))
    assert moving['gravity sign'].verdict == 'warn'
    assert 'not at rest' in moving['gravity sign'].found
    assert rows(tmp_path, heard(imu={'accel': np.zeros(3)}))['gravity sign'].verdict == 'warn'
    assert rows(tmp_path, heard(imu={'frame_id': 'torso'}))['IMU frame'].verdict == 'warn'


def test_a_wrong_mounting_shows_as_a_robot_that_lies(tmp_path):
    """K-Bot's IMU is mounted rotated against its base."""
    robot = dataclasses.replace(
        small_robot(tmp_path), imu_mounting=np.array([math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0])
    )
    found = rows(tmp_path, heard(), robot=robot)
    assert found['IMU mounting'].verdict == 'warn'
    assert found['gravity sign'].verdict == 'ok'


@pytest.mark.parametrize(
    ('joints', 'what', 'words'),
    [
        ({'names': ('joint_1', 'x', 'joint_2')}, 'joint names', 'lacks joint_0'),
        ({'names': ('joint_1', 'joint_0', 'joint_0')}, 'joint names', 'joint_0 twice'),
        ({'velocity': np.zeros(0)}, 'joint states', '0 velocities'),
        ({'position': np.degrees([0.2, 9.0, 0.1])}, 'joint units', 'degrees'),
        ({'position': np.array([0.2, 0.0, 2.0e3])}, 'joint units', 'joint_0 at 2000'),
        ({'position': np.array([np.nan, 0.0, 0.0])}, 'joint units', 'not finite'),
    ],
)
def test_mistakes_of_joint_states(tmp_path, joints, what, words):
    """Names, lengths and units."""
    found = rows(tmp_path, heard(joints=joints))
    assert found[what].verdict == 'fail', found
    assert words in found[what].found


def test_velocities_in_degrees_or_a_driver_without_a_robot(tmp_path):
    """Neither is certain, so both are warnings."""
    fast = rows(tmp_path, heard(joints={'velocity': np.array([0.0, 0.0, 50.0])}))
    assert fast['joint units'].verdict == 'warn'
    dead = rows(tmp_path, heard(joints={'position': np.zeros(3)}))
    assert dead['joint units'].verdict == 'warn'


@pytest.mark.parametrize(
    ('given_', 'what', 'words'),
    [
        ({'step': 40_000_000, 'count': 25}, 'imu/data rate', '25 Hz'),
        ({'step': 0}, 'joint_states rate', 'one stamp'),
        ({'age': SECOND}, 'joint_states clock', '1.000 s old'),
        ({'age': -SECOND}, 'odom clock', 'in the future'),
    ],
)
def test_rates_and_clocks(tmp_path, given_, what, words):
    """Repeated samples and another clock fail."""
    found = rows(tmp_path, heard(**given_))
    assert found[what].verdict == 'fail', found
    assert words in found[what].found


def test_what_a_busy_machine_does_may_pass(tmp_path):
    """Late or few messages raise NotReady; a wrong quaternion is refused at once."""
    contract, robot = leaky_policy(tmp_path).contract, small_robot(tmp_path)
    for late in (heard(step=0), heard(age=SECOND), SensorCapture(seconds=1.0)):
        with pytest.raises(NotReady, match='fail'):
            raise_if_failed(list(rows(tmp_path, late).values()), contract.path, robot)
    wrong = heard(step=0, imu={'accel': -up(LEANING)})
    with pytest.raises(ContractError, match='gravity sign'):
        raise_if_failed(list(rows(tmp_path, wrong).values()), contract.path, robot)


def test_a_simulation_that_waits_has_no_rate(tmp_path):
    """In lockstep time stands still until the first command."""
    found = rows(tmp_path, heard(step=0, time_runs=False))
    assert not [name for name in found if name.endswith(('rate', 'clock'))]
    found = rows(tmp_path, heard(age=SECOND, has_clock=False))
    assert [name for name in found if name.endswith('rate')]
    assert not [name for name in found if name.endswith('clock')]


def test_odometry(tmp_path):
    """Its twist has to be finite, and in the base frame."""
    found = rows(tmp_path, heard(odom={'linear': np.array([np.nan, 0.0, 0.0])}))
    assert found['odometry'].verdict == 'fail'
    assert rows(tmp_path, heard(odom={'child_frame_id': 'x'}))['odometry'].verdict == 'warn'


ANY = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(ANY, min_size=10, max_size=10))
def test_no_message_breaks_it(tmp_path_factory, values):
    """Any message content gives a report, never a traceback."""
    numbers = np.array(values)
    imu = {'xyzw': numbers[:4], 'gyro': numbers[4:7], 'accel': numbers[7:]}
    what = heard(imu=imu, joints={'position': numbers[:3], 'velocity': numbers[3:6]}, count=3)
    with np.errstate(all='ignore'):
        assert rows(tmp_path_factory.mktemp('any'), what)


SCAN = HeightScan(2, 3, ScanGrid((0.2, 0.1), 0.1))


def scans(*, shape=(2, 3), step=STEP, heights=0.5, problem='', age=2_000_000):
    """A good driver with a height scan."""
    made = heard()
    made.scan = [
        CapturedScan(SECOND + at * step, age, shape, np.full(6, heights), problem)
        for at in range(round(SECOND / step))
    ]
    return made


@pytest.mark.parametrize(
    ('changes', 'verdict', 'words'),
    [
        ({}, 'ok', '6 points, 0.50 to 0.50 m below the base'),
        ({'shape': (1, 6)}, 'ok', '6 points'),
        ({'shape': (3, 2)}, 'fail', '3 rows of 2 points'),
        ({'heights': np.nan}, 'fail', '6 points that are not finite'),
        ({'problem': 'found mono8'}, 'fail', 'found mono8'),
    ],
)
def test_a_height_scan(tmp_path, changes, verdict, words):
    """Its points, as the spec has them."""
    row = rows(tmp_path, scans(**changes), scan=SCAN)['height scan']
    assert (row.verdict, words in row.found) == (verdict, True), row


def test_a_height_scan_that_is_missing_slow_or_old(tmp_path):
    """A map at 20 Hz may be what the training had: a warning; an old one is a fault later."""
    assert rows(tmp_path, heard(), scan=SCAN)['height scan'].verdict == 'fail'
    assert 'height scan' not in rows(tmp_path, heard())
    slow = rows(tmp_path, scans(step=50_000_000), scan=SCAN)
    assert slow['height_scan rate'].verdict == 'warn'
    assert slow['height_scan clock'].verdict == 'ok'
    assert rows(tmp_path, scans(age=SECOND), scan=SCAN)['height_scan clock'].verdict == 'fail'
