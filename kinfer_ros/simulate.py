"""Controller and physics in one loop without ROS: equal to a lockstep run over ROS to the bit."""

from collections.abc import Callable

import numpy as np

from kinfer_ros.bridges.mujoco.height_scan import HeightScanner
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.tick import Tick
from kinfer_ros.errors import BridgeError
from kinfer_ros.rotations import yaw_of
from kinfer_ros.run.odometer import Odometer


class BaseMotion:
    """
    The true motion of a simulated robot's base, as of the last `read`.

    :ivar position: [3] m, in the world; `yaw` rad.
    :ivar quaternion: [4] w x y z, in the world.
    :ivar linear: [3] m/s, in the base's frame; `angular` [3] rad/s.
    """

    def __init__(self, robot: MujocoRobot) -> None:
        self._robot = robot
        self.position, self.quaternion = np.zeros(3), np.zeros(4)
        self.linear, self.angular = np.zeros(3), np.zeros(3)
        self.yaw = 0.0

    def read(self) -> None:
        """Read the present one."""
        self._robot.base(self.position, self.quaternion, self.linear, self.angular)
        self.yaw = yaw_of(*self.quaternion.tolist())


class Simulation:
    """
    Steps a controller and a simulated robot in turn, one control period at a time.

    As in lockstep over ROS, time starts at one control period (0 means "no time yet"), physics
    waits for the first command, and the base is held until the first tick of `run`.

    :ivar now_ns: simulated time, ns.
    :ivar outcome: what the newest tick decided, or None.
    :ivar base: the base's motion, read with the sensors of each tick.
    :ivar odometer: path of the base since `run` began.
    """

    def __init__(self, controller: Controller, robot: MujocoRobot) -> None:
        """
        Make the robot obey the controller.

        Its gains come into force in the tick that requests them.

        :raises BridgeError: the control period is no multiple of the physics step, or the points
            of the policy's height scan are not known.
        """
        period_ns = controller.settings.period_ns
        if period_ns % robot.timestep_ns:
            raise BridgeError(
                f'control period {period_ns} ns is no multiple of the physics step '
                f'{robot.timestep_ns} ns'
            )
        self.controller = controller
        self.robot = robot
        self.base = BaseMotion(robot)
        self.odometer = Odometer()
        self.outcome: Tick | None = None
        self.now_ns = period_ns
        self._period_ns = period_ns
        self._substeps = period_ns // robot.timestep_ns
        self._gains_set = -1
        self._set_gains()
        self._names = list(robot.robot.joint_names)
        n = len(self._names)
        self._position, self._velocity, self._effort = np.zeros(n), np.zeros(n), np.zeros(n)
        self._quaternion, self._gyro, self._accel = np.zeros(4), np.zeros(3), np.zeros(3)
        self._scanner = _make_scanner(controller, robot)

    def run(self, seconds: float, each_tick: 'Callable[[Simulation], None] | None' = None) -> None:
        """
        Activate if inactive, and run for a simulated time or until the session ends.

        :param each_tick: called after every tick, before the physics steps.
        """
        if self.controller.mode is Mode.INACTIVE:
            self._read_sensors()
            self.controller.activate(self.now_ns)
        for _ in range(round(seconds * 1e9 / self._period_ns)):
            self.tick()
            if each_tick is not None:
                each_tick(self)
            self._set_gains()
            self._send_command()
            if self.controller.mode is Mode.INACTIVE:
                return
            self.robot.step(self._substeps)
            self.now_ns += self._period_ns

    def tick(self) -> None:
        """Read the sensors and run one tick of the controller, without physics."""
        self._read_sensors()
        self.outcome = self.controller.tick(self.now_ns, self.now_ns)
        if self.controller.mode is Mode.RUN:
            x, y, _ = self.base.position.tolist()
            self.odometer.update(x, y, self.base.yaw)

    def _read_sensors(self) -> None:
        frame = self.controller.inputs.frame
        self.robot.joint_state(self._position, self._velocity, self._effort)
        frame.update_joints(self._names, self._position, self._velocity, self.now_ns, self._effort)
        self.robot.imu(self._quaternion, self._gyro, self._accel)
        frame.update_imu(self._quaternion.tolist(), self._gyro, self._accel, self.now_ns)
        self.base.read()
        if frame.needs_odometry:
            frame.update_odometry(self.base.linear.tolist(), self.now_ns)
        if self._scanner is not None:
            self._scanner.scan()
            frame.update_scan(self._scanner.heights, self._scanner.shape, self.now_ns)

    def _set_gains(self) -> None:
        """Bring the requested gains into force, if they have changed, for this tick's target."""
        gains = self.controller.gains
        if gains.changes != self._gains_set:
            self._gains_set = gains.changes
            now = gains.now()
            self.robot.set_gains(now.kp, now.kd, now.torque_limit)

    def _send_command(self) -> None:
        send = self.controller.send
        if send is Send.POSITION:
            if self.controller.mode is Mode.RUN:
                self.robot.hold_base(False)
            assert self.outcome is not None
            self.robot.set_target(self.outcome.position, self.outcome.velocity)
        elif send is Send.DAMPING:
            self.robot.damp()


def _make_scanner(controller: Controller, robot: MujocoRobot) -> HeightScanner | None:
    specs = [each.policy.contract.spec for each in controller.policies.members.values()]
    spec = next((spec for spec in specs if spec is not None and spec.scan is not None), None)
    if spec is None or spec.scan is None:
        return None
    if spec.scan.grid is None:
        raise BridgeError(
            f'{spec.path}: height_scan: found a count of points without a grid, which a '
            'simulation cannot measure; expected grid (size, resolution, order)'
        )
    return HeightScanner(robot, spec.scan.grid)
