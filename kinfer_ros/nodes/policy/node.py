"""The policy in the graph: sensors in, joint commands out, once a tick of a timer.

Topics: robot_link.py. Parameters: parameters.py. Services, all std_srvs/Trigger: ~/start (hold to
run), ~/stop (latched soft stop), ~/reset (fault to damp), ~/load_model.

This file turns lifecycle transitions and services into requests; a tick is ControlLoop.step in
control/loop.py.
"""

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn

from kinfer_ros.contract.activation import Readiness
from kinfer_ros.control.loop import ControlLoop
from kinfer_ros.control.modes import Mode
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.nodes.policy.activation import Activation
from kinfer_ros.nodes.policy.diagnostics import DiagnosticsPublisher
from kinfer_ros.nodes.policy.live_contract import check_live_contract
from kinfer_ros.nodes.policy.model_loader import ModelLoader
from kinfer_ros.nodes.policy.operator import Operator
from kinfer_ros.nodes.policy.robot_link import RobotLink
from kinfer_ros.nodes.policy.services import ModeServices
from kinfer_ros.nodes.policy.shared_executor import refuse_shared_executor
from kinfer_ros.nodes.policy.tuning import follow_parameters
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.realtime import Realtime
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.process import run_node
from kinfer_ros.ros.rclpy_internals import destroy_state_machine
from kinfer_ros.run.parameters import POLICY_PARAMETERS
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.setup import load_policies
from kinfer_ros.run.setup import load_setup
from kinfer_ros.run.status import StatusReporter

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE

SIGNAL_FADE_NS = 2_000_000_000
"""Longest fade after a signal: all nodes are to be down within 4 s."""

SUPERVISE_PERIOD = 0.1
LOCKSTEP_SUPERVISE_PERIOD = 0.025
"""s; a lost sample or command stops the simulation until it is asked for and sent again."""


class PolicyNode(LifecycleNode):
    """
    Runs one policy on one robot.

    :ivar failure: the error of the last transition that failed, or None.
    :ivar exit_code: of its process: 1 after a fall or a fault.
    :ivar finished: the node has nothing more to do (its run ended, or it failed to start).
    :ivar run_path: directory of the newest run, or None.
    :ivar setup: the policy on its robot, from configure to cleanup.
    :ivar session: the run, from configure to cleanup.
    :ivar in_lockstep: a simulation waits for each tick.
    """

    def __init__(self, node_name: str = 'policy_node', **kwargs: Any) -> None:
        """:raises ConfigError: a parameter has a value that cannot be used."""
        super().__init__(node_name, **kwargs)
        declare(self, POLICY_PARAMETERS)
        refuse_misspelt_parameters(self)
        self.failure: KinferRosError | None = None
        self.exit_code = 0
        self.finished = False
        self.run_path: Path | None = None
        self.setup: PolicySetup | None = None
        self.session: RunSession | None = None
        self.in_lockstep = bool(value(self, 'lockstep'))
        self._clocks = Clocks(self)
        self._link = RobotLink(
            self, lockstep=self.in_lockstep, cmd_vel_type=value(self, 'cmd_vel_type')
        )
        self._activation: Activation | None = None
        self._realtime = Realtime()
        self._operator = Operator(self)
        self._ready = Readiness(
            self, self._link, self._clocks, self._operator,
            lambda name: value(self, name), self.get_logger().info,
        )  # fmt: skip
        self._starting = bool(value(self, 'autostart'))
        self._start_deadline: float | None = None
        self._ending = ''
        self._status = StatusReporter()
        self._diagnostics = DiagnosticsPublisher(self)
        self._graph_is_due = False
        ModeServices(self, self._link, self._operator)
        self._loader = ModelLoader(self, self, self.get_logger().error)
        self._policy_parameter = follow_parameters(self)
        # A steady timer: node-clock timers do not fire before the first /clock.
        period = LOCKSTEP_SUPERVISE_PERIOD if self.in_lockstep else SUPERVISE_PERIOD
        self.create_timer(period, self._supervise, clock=self._clocks.steady)
        self._link.publish_mode('inactive')

    @property
    def rate(self) -> float:
        """Ticks a second, as measured over the last second."""
        return self._status.rate

    @property
    def state(self) -> str:
        """Where the lifecycle stands: unconfigured, inactive or active."""
        if self.active:
            return 'active'
        return 'unconfigured' if self.session is None else 'inactive'

    @property
    def active(self) -> bool:
        """Whether the loop ticks."""
        return self._activation is not None

    # Lifecycle ---------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load, wait for sensors, check, make the run directory; :return: FAILURE if refused."""
        return self._guarded(self._configure, 'configure')

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the session: ramp to the start pose; :return: FAILURE if refused."""
        result = self._guarded(self._activate, 'activate')
        return super().on_activate(state) if result is SUCCESS else result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fade to damping; :return: SUCCESS always: no error keeps a robot moving."""
        self._deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the run; :return: SUCCESS, or FAILURE if run.json could not be written."""
        return self._guarded(lambda: self._close_run(self._ending or 'cleanup'), 'cleanup')

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End whatever goes on; :return: as on_cleanup."""
        self._deactivate()
        return self._guarded(lambda: self._close_run(self._ending or 'shutdown'), 'shutdown')

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Damp and close after a bug of ours; :return: SUCCESS, back to unconfigured."""
        self._deactivate()
        failure = self.failure
        result = self._guarded(lambda: self._close_run('error'), 'error')
        self.failure = failure
        return result

    def _guarded(self, action: Callable[[], None], what: str) -> TransitionCallbackReturn:
        """Run a transition; a user's error is logged in words, our own with its traceback."""
        try:
            action()
        except KinferRosError as error:
            self.failure = error
            if not self._starting:
                self.get_logger().error(f'{what} refused: {error}')
            return FAILURE
        except Exception:
            # rclpy would turn it into ERROR without a word.
            self.get_logger().fatal(f'{what} failed:\n{traceback.format_exc()}')
            self.failure = KinferRosError(f'{what} failed by a bug of kinfer_ros, see the log')
            return TransitionCallbackReturn.ERROR
        self.failure = None
        return SUCCESS

    def _configure(self) -> None:
        refuse_shared_executor(self)
        if not self._starting:
            self.setup = None  # parameters may have changed since it was loaded
        setup = self._load()
        self._wait_for(lambda: self._ready.sensors_problem(setup))
        check_live_contract(
            setup, self._link.sources, self.get_logger().warning,
            lockstep=self.in_lockstep, sim=self._clocks.sim_time,
        )  # fmt: skip
        self.open_run(setup)

    def _load(self) -> PolicySetup:
        """Load once; a retried configure finds it loaded already."""
        if self.setup is None:
            begin = time.monotonic()
            self.setup = self.load_setup()
            seconds = time.monotonic() - begin
            self.get_logger().info(f'loaded {self.setup.describe()} in {seconds:.2f} s')
        return self.setup

    def _values(self) -> dict[str, Any]:
        return {entry.name: value(self, entry.name) for entry in POLICY_PARAMETERS}

    def open_run(self, setup: PolicySetup) -> None:
        """Begin a run."""
        session = RunSession(setup, self._values())
        for warning in session.directory.warnings:
            self.get_logger().warning(warning)
        self.session = session
        self.run_path = session.path
        self._link.publish_run(str(session.path))
        self._operator.use_policies(setup.buttons)
        self.get_logger().info(f'run directory {session.path}')
        self._ask_for_gains(setup)
        self._link.send_gains()

    def _ask_for_gains(self, setup: PolicySetup) -> None:
        self._link.dry_run = value(self, 'dry_run')
        self._link.gains.set_target(setup.robot.joint_names, setup.controller.gains)
        self._link.read_bridge()  # it may have other gains in force than a session ago

    def _wait_for(self, problem: Callable[[], str]) -> None:
        """:raises NotReady: under autostart at once, since the supervisor comes again."""
        self._ready.wait(problem, block=not self._starting)

    def _activate(self) -> None:
        setup = self._load()
        if self.session is None:
            raise ContractError('there is no open run: clean up and configure again')
        self._operator.poll(self._clocks.control_now(), None)  # a button may be held down
        if self._operator.stopped:
            raise Refused(self._operator.refusal(self._clocks.control_now()))
        setup.controller.prepare()  # the last session may have ended in another policy
        self._ask_for_gains(setup)
        if self._link.gains.mismatch():
            self._link.send_gains()  # the bridge may have been reset since configure
        self._wait_for(lambda: self._ready.activation_problem(setup))
        self._ready.refuse(setup)
        self.session.activation += 1
        self._link.begin_session(setup.robot.joint_names)
        setup.controller.recovery.more_checks = lambda: self._ready.recovery_problem(setup)
        self._activation = Activation(
            self, setup, self.session, self._link, self._clocks, self._operator,
            lockstep=self.in_lockstep,
        )  # fmt: skip
        try:
            self._activation.start(self._realtime)
        except BaseException:
            self._deactivate()
            raise

    def _deactivate(self) -> None:
        activation, self._activation = self._activation, None
        if activation is None:
            return
        try:
            activation.loop.stop(SIGNAL_FADE_NS if self._ready.interrupted else None)
        except Exception:
            # Damping frames are out by now; rclpy would swallow the error without a word.
            self.get_logger().fatal(f'the fade failed:\n{traceback.format_exc()}')
        self._realtime.end()
        self._loader.end_session()
        activation.close()

    def _close_run(self, reason: str) -> None:
        session, self.session, self.setup = self.session, None, None
        if session is not None:
            self.exit_code |= session.failed
            session.finish(reason)
            self.get_logger().info(f'run closed: {session.path}')

    # Between the ticks -------------------------------------------------------------------

    def request_end(self, reason: str) -> None:
        """End the run softly: fade, deactivate, close; `finished` is set when it is done."""
        self._ending = reason
        self._starting = False
        if self.active and self.setup is not None:
            self.setup.controller.request_fade()

    def stop(self) -> None:
        """End everything, from outside the executor: fade, deactivate, close the run."""
        self._starting = False
        self._ending = self._ending or 'stopped by a signal'
        if self.state == 'active':
            self.trigger_deactivate()
        self._finish()

    def destroy_node(self) -> None:
        """Leave the graph at once; rclpy's own waits for the garbage collector."""
        super().destroy_node()
        destroy_state_machine(self)

    def interrupt(self) -> None:
        """End a wait in a transition, and fade with the next tick; safe in a signal handler."""
        self._ready.interrupted = True
        if self.active and self.setup is not None:
            self.setup.controller.request_fade(SIGNAL_FADE_NS)

    def look(self) -> bool:
        """In lockstep: run the tick that the simulation waits for; see SteppedNode."""
        return self._activation is not None and self._activation.look()

    def _supervise(self) -> None:
        """Automatic start, the end of a run, lockstep's repeated command, diagnostics."""
        if self.finished:
            return
        self._serve()
        self._policy_parameter.show()
        if self._starting:
            self._try_to_start()
        elif self._activation is not None:
            self._watch(self._activation.loop)
        elif self._ending:
            self._finish()
        stop = self._operator.stopped
        state = f'{self.state}, stopped: {stop}' if stop else self.state
        missed = self._activation.missed if self._activation else 0
        status = self._status.update(
            state, self.setup, self.session, missed, self._realtime.granted
        )
        # In the next period, so that each fits between two ticks.
        if self._graph_is_due:
            self._link.follow_graph()
        self._graph_is_due = status is not None
        if status is not None:
            self._diagnostics.publish(status)

    def _serve(self) -> None:
        """Take calls of the services that no executor serves."""
        controller = self.setup.controller if self.setup else None
        if self._operator.poll(self._clocks.control_now(), controller):
            self._starting = False
        self._loader.poll()

    def _try_to_start(self) -> None:
        if self._operator.stopped:
            self._starting = False  # a stop is not undone by itself, nor by a reset
            return
        if self._start_deadline is None:
            self._start_deadline = time.monotonic() + value(self, 'sensor_timeout')
        step = self.trigger_configure if self.session is None else self.trigger_activate
        if step() is not SUCCESS:
            self._not_started(self._start_deadline)
        self._starting = self._starting and self.state != 'active'

    def _not_started(self, deadline: float) -> None:
        """Go on waiting for what may still come; give up on all else."""
        if isinstance(self.failure, NotReady) and time.monotonic() < deadline:
            self.get_logger().info(f'waiting: {self.failure}', throttle_duration_sec=2.0)
            return
        failure, self._starting = self.failure, False
        self._ending = f'not started: {failure}'
        self._finish()
        self.failure = failure

    def _watch(self, loop: ControlLoop) -> None:
        assert self.setup is not None
        if loop.crash:
            self.get_logger().fatal(f'a tick failed by a bug of kinfer_ros:\n{loop.crash}')
            self._ending = 'a tick failed by a bug of kinfer_ros, see the log'
        if self.in_lockstep:
            loop.answer_repeated_sample()
        controller = self.setup.controller
        if problem := self._link.gains_fault():
            controller.request_fault(problem)
        if controller.mode is Mode.FAULT and controller.settings.duration_ns:
            # A run of a given length has nobody waiting to reset it.
            self.request_end(f'fault: {controller.reason}')
        if controller.mode is Mode.INACTIVE:
            # The fade is over (duration reached, request_end): the lifecycle follows.
            self._ending = self._ending or controller.reason or 'ended'
            self.trigger_deactivate()
            self._finish()
            if loop.crash:
                self.failure = KinferRosError(self._ending)

    def _finish(self) -> None:
        if self.state == 'inactive':
            self.trigger_cleanup()
        self.finished = True

    # For ~/load_model --------------------------------------------------------------------

    def load_policies(self) -> LoadedSet:
        """Load what the parameters name, on a thread that must not outrank the tick."""
        self._realtime.reset_thread()
        return load_policies(self._values(), self._ready.is_interrupted)

    def load_setup(self) -> PolicySetup:
        """Load policies and robot of the parameters, and check them."""
        return load_setup(self._values(), self._ready.is_interrupted)


def main(args: list[str] | None = None) -> int:
    """Run the policy node in a process of its own."""
    return run_node(PolicyNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
