"""The policy in the graph: sensors in, joint commands out, once a tick of a timer.

Topics: robot_link.py. Parameters: parameters.py. Services, all std_srvs/Trigger: ~/start (hold to
run), ~/stop (latched soft stop), ~/reset (fault to damp), ~/load_model.

This file turns lifecycle transitions and services into requests; the ticks are in loop.py, and
kinfer_ros.control decides.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn
from std_srvs.srv import Trigger

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.realtime import Realtime
from kinfer_ros.control.realtime import RealtimeConfig
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.nodes.policy.diagnostics import DiagnosticsPublisher
from kinfer_ros.nodes.policy.loop import ControlLoop
from kinfer_ros.nodes.policy.loop import format_mode
from kinfer_ros.nodes.policy.model_swap import ModelSwap
from kinfer_ros.nodes.policy.operator import Operator
from kinfer_ros.nodes.policy.parameters import POLICY_PARAMETERS
from kinfer_ros.nodes.policy.parameters import declare
from kinfer_ros.nodes.policy.parameters import value
from kinfer_ros.nodes.policy.readiness import Readiness
from kinfer_ros.nodes.policy.robot_link import PolicyIO
from kinfer_ros.nodes.policy.tuning import Tuning
from kinfer_ros.policy.policy import Policy
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.messages import gains_differ
from kinfer_ros.ros.overrides import refuse_misspelt_parameters
from kinfer_ros.ros.polled_trigger import PolledTrigger
from kinfer_ros.ros.process import run_node
from kinfer_ros.run.session import PolicySetup
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.session import load
from kinfer_ros.run.session import load_policy
from kinfer_ros.run.session import loaded_gains

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
    :ivar finished: the node has nothing more to do (its run ended, or it failed to start).
    :ivar run_path: directory of the newest run, or None.
    :ivar loaded: the policy on its robot, from configure to cleanup.
    :ivar session: the run, from configure to cleanup.
    """

    def __init__(self, node_name: str = 'policy_node', **kwargs: Any) -> None:
        """:raises ConfigError: a parameter has a value that cannot be used."""
        super().__init__(node_name, **kwargs)
        declare(self, POLICY_PARAMETERS)
        refuse_misspelt_parameters(self)
        self.failure: KinferRosError | None = None
        self.finished = False
        self.run_path: Path | None = None
        self.loaded: PolicySetup | None = None
        self.session: RunSession | None = None
        self._lockstep = bool(value(self, 'lockstep'))
        self._clocks = Clocks(self)
        self._io = PolicyIO(
            self, lockstep=self._lockstep, cmd_vel_type=value(self, 'cmd_vel_type')
        )
        self._ticker: ControlLoop | None = None
        self._realtime = Realtime()
        self._operator = Operator(self)
        self._ready = Readiness(self, self._io, self._clocks, self._operator)
        self._swap: ModelSwap | None = None
        self._said_mode = ''
        self._starting = bool(value(self, 'autostart'))
        self._start_deadline: float | None = None
        self._ending = ''
        self._diagnostics = DiagnosticsPublisher(self)
        self.create_service(Trigger, '~/start', _answering(self._on_start))
        self.create_service(Trigger, '~/reset', _answering(self._on_reset))
        self._load_model = PolledTrigger(self, '~/load_model')
        Tuning(self, lambda: self.loaded, lambda: self._ticker is not None)
        # A steady timer: node-clock timers do not fire before the first /clock.
        period = LOCKSTEP_SUPERVISE_PERIOD if self._lockstep else SUPERVISE_PERIOD
        self.create_timer(period, self._supervise, clock=self._clocks.steady)
        self._publish_mode('inactive')

    @property
    def rate(self) -> float:
        """Ticks a second, as measured over the last second."""
        return self._diagnostics.rate

    @property
    def state(self) -> str:
        """Where the lifecycle stands: unconfigured, inactive or active."""
        if self._ticker is not None:
            return 'active'
        return 'unconfigured' if self.session is None else 'inactive'

    # Lifecycle ---------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """
        Load, wait for sensors, check, make the run directory.

        :return: FAILURE with the reason logged when anything does not fit.
        """
        return self._guarded(self._configure, 'configure')

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """
        Start the session: ramp to the start pose.

        :return: FAILURE with the reason logged when the robot is not ready for it.
        """
        result = self._guarded(self._activate, 'activate')
        return super().on_activate(state) if result is SUCCESS else result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """
        Fade to damping, then fall silent.

        :return: SUCCESS always: a robot is not kept moving by an error.
        """
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
        if not self._starting:
            self.loaded = None  # parameters may have changed since it was loaded
        loaded = self._load()
        self._wait_for(lambda: self._ready.sensors_problem(loaded))
        self._ready.hold_contract(loaded)
        self._open_run(loaded)

    def _load(self) -> PolicySetup:
        """Load once; a retried configure finds it loaded already."""
        if self.loaded is None:
            begin = time.monotonic()
            self.loaded = load(self._values())
            contract = self.loaded.policy.contract
            self.get_logger().info(
                f'loaded {contract.path} in {time.monotonic() - begin:.2f} s: '
                f'{len(contract.joint_names)} joints, command {list(contract.command_names)}, '
                f'{self.loaded.rate_hz:g} Hz'
            )
        return self.loaded

    def _values(self) -> dict[str, Any]:
        return {entry.name: value(self, entry.name) for entry in POLICY_PARAMETERS}

    def _open_run(self, loaded: PolicySetup) -> None:
        session = RunSession(loaded, self._values())
        for warning in session.directory.warnings:
            self.get_logger().warning(warning)
        self.session = session
        self.run_path = session.path
        self._io.publish_run(str(session.path))
        self.get_logger().info(f'run directory {session.path}')
        self._send_gains(loaded)

    def _realtime_config(self) -> RealtimeConfig:
        return RealtimeConfig(
            priority=value(self, 'thread_priority'),
            cpus=tuple(cpu for cpu in value(self, 'cpu_affinity') if cpu >= 0),
            lock_memory=value(self, 'lock_memory'),
        )

    def _send_gains(self, loaded: PolicySetup) -> None:
        if not value(self, 'dry_run'):
            self._io.send_gains(loaded_gains(loaded))

    def _wait_for(self, problem: Callable[[], str]) -> None:
        """:raises NotReady: under autostart at once, since the supervisor comes again."""
        self._ready.wait(problem, patient=not self._starting)

    def _activate(self) -> None:
        loaded = self._load()
        if self.session is None:
            raise ContractError('there is no open run: clean up and configure again')
        self._operator.poll(self._clocks.control_now(), None)  # a button may be held down
        if self._operator.stopped:
            raise Refused(self._operator.refusal(self._clocks.control_now()))
        found = self._io.gains_in_force
        if found is None or gains_differ(loaded_gains(loaded), found):
            self._send_gains(loaded)  # the bridge may have been reset since configure
        self._wait_for(lambda: self._ready.activation_problem(loaded))
        self._ready.refuse(loaded)
        self.session.activation += 1
        ticker = ControlLoop(
            self,
            self._io,
            self._clocks,
            self.session,
            lockstep=self._lockstep,
            dry_run=value(self, 'dry_run'),
            spin_ns=value(self, 'spin_us') * 1000,
            poll=self._operator.poll,
            publish_mode=self._publish_mode,
        )
        self._ticker = ticker
        try:
            self._realtime.begin(self._realtime_config())
            for refusal in self._realtime.refused:
                self.get_logger().warning(
                    f'{refusal}; see docs/performance.md, Setting up a machine'
                )
            ticker.start()
        except BaseException:
            self._deactivate()
            raise

    def _deactivate(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is None:
            return
        try:
            ticker.stop(SIGNAL_FADE_NS if self._ready.interrupted else None)
        except Exception:
            # Damping frames are out by now; rclpy would swallow the error without a word.
            self.get_logger().fatal(f'the fade failed:\n{traceback.format_exc()}')
        self._realtime.end()
        if self._swap is not None:
            self._swap.finish('the session has ended')
            self._swap = None
        if self.session is not None:
            self.session.count_schedule(ticker.schedule)
            # The robot side may come back with another clock.
            parts = self.session.loaded.controller.parts
            parts.frame.restart()
            parts.watch.health.forget()

    def _close_run(self, reason: str) -> None:
        session, self.session = self.session, None
        self.loaded = None
        if session is not None:
            session.finish(reason)
            self.get_logger().info(f'run closed: {session.path}')

    # Between the ticks -------------------------------------------------------------------

    def request_end(self, reason: str) -> None:
        """End the run softly: fade, deactivate, close; `finished` is set when it is done."""
        self._ending = reason
        self._starting = False
        if self._ticker is not None and self.loaded is not None:
            self.loaded.controller.request_fade()

    def stop(self) -> None:
        """End everything, from outside the executor: fade, deactivate, close the run."""
        self._starting = False
        self._ending = self._ending or 'stopped by a signal'
        if self.state == 'active':
            self.trigger_deactivate()
        self._finish()

    def interrupt(self) -> None:
        """End whatever waits inside a transition; safe to call from a signal handler."""
        self._ready.interrupted = True

    def _supervise(self) -> None:
        """Automatic start, the end of a run, lockstep's repeated command, diagnostics."""
        if self.finished:
            return
        self._serve()
        if self._starting:
            self._try_to_start()
        elif self._ticker is not None:
            self._watch(self._ticker)
        elif self._ending:
            self._finish()
        schedule = self._ticker.schedule if self._ticker else None
        state = (
            f'{self.state}, stopped: {stop}' if (stop := self._operator.stopped) else self.state
        )
        if self._diagnostics.update(
            state, self.loaded, self.session, schedule, self._realtime.granted
        ):
            self._io.follow_cmd_vel_type()

    def _serve(self) -> None:
        """Take calls of the services that no executor serves."""
        controller = self.loaded.controller if self.loaded else None
        if self._operator.poll(self._clocks.control_now(), controller):
            self._starting = False
        if self._swap is not None:
            self._swap.poll()
            if self._swap.done:
                self._swap = None
        elif (call := self._load_model.take()) is not None:
            self._on_load_model(call)

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
        failure = self.failure
        self._starting = False
        self._ending = f'not started: {failure}'
        self._finish()
        self.failure = failure

    def _watch(self, ticker: ControlLoop) -> None:
        assert self.loaded is not None
        if ticker.crash:
            self.get_logger().fatal(f'a tick failed by a bug of kinfer_ros:\n{ticker.crash}')
            self._ending = 'a tick failed by a bug of kinfer_ros, see the log'
        if self._lockstep:
            ticker.answer_repeated_sample()
        controller = self.loaded.controller
        if problem := ticker.gains_problem():
            controller.request_fault(problem)
        if controller.mode is Mode.FAULT and controller.settings.duration_ns:
            # A run of a given length has nobody waiting to reset it.
            self.request_end(f'fault: {controller.reason}')
        if controller.mode is Mode.INACTIVE:
            # The fade is over (duration reached, request_end): the lifecycle follows.
            self._ending = self._ending or controller.reason or 'ended'
            self.trigger_deactivate()
            self._finish()
            if ticker.crash:
                self.failure = KinferRosError(self._ending)

    def _finish(self) -> None:
        if self.state == 'inactive':
            self.trigger_cleanup()
        self.finished = True

    def _publish_mode(self, text: str) -> None:
        if text == self._said_mode:
            return
        self._said_mode = text
        self._io.publish_mode(text)
        # Two lines of code: rclpy refuses another severity from the same one.
        if text.startswith('fault'):
            self.get_logger().error(f'mode {text}')
        else:
            self.get_logger().info(f'mode {text}')

    # Services ----------------------------------------------------------------------------

    def _on_start(self) -> str:
        if self.loaded is None or self._ticker is None:
            return f'start is refused while the node is {self.state}: activate it first'
        return self.loaded.controller.request_run()

    def _on_reset(self) -> str:
        mode = self.loaded.controller.mode if self.loaded else Mode.INACTIVE
        if mode is not Mode.FAULT and not self._operator.stopped:
            return f'nothing to reset in mode {mode}'
        if mode is Mode.FAULT and self.loaded is not None:
            refusal = self._shell_cause() or self.loaded.controller.reset_fault()
            if refusal:
                return refusal
            self._publish_mode(format_mode(self.loaded.controller))
        self._operator.reset()
        return ''

    def _shell_cause(self) -> str:
        """Why a fault that only this shell can see must stay, or ''."""
        if self._ticker is None or value(self, 'dry_run'):
            return ''
        cause = self._io.bridge_problem() or self._ticker.gains_problem(anew=True)
        return f'the cause is still there: {cause}' if cause else ''

    def _on_load_model(self, call: object) -> None:
        def answer(refusal: str) -> None:
            if refusal:
                self.get_logger().error(f'load_model refused: {refusal}')
            self._load_model.answer(call, refusal)

        session = self.session
        if self._ticker is not None and self.loaded is not None and session is not None:
            load = partial(self._load_beside, self._values())
            self._swap = ModelSwap(load, self.loaded, session.begin_swap, self._take_over, answer)
        else:
            answer(self._load_another())

    def _load_beside(self, values: dict[str, Any]) -> Policy:
        """Load on a thread of its own, which must not run before the one that ticks."""
        self._realtime.leave()
        return load_policy(values)

    def _take_over(self, loaded: PolicySetup) -> None:
        """Note that another policy runs now."""
        self.loaded = loaded
        if self.session is not None:
            self.session.take_over(loaded)
        contract = loaded.policy.contract
        self.get_logger().info(f'{contract.path} ({contract.sha256[:12]}) has taken over')

    def _load_another(self) -> str:
        """Load while inactive; a run is about one policy: a new one begins."""
        try:
            loaded = load(self._values())
            old = self.session
            if old is not None:
                self._open_run(loaded)
            self.loaded = loaded
            if old is not None:
                old.finish('another model was loaded')
        except KinferRosError as error:
            return str(error)
        return ''


def _answering(handler: Callable[[], str]) -> Callable[..., Trigger.Response]:
    """Turn a handler that returns a refusal, or '', into a Trigger service callback."""

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = handler()
        response.success = not refusal
        response.message = refusal or 'done'
        return response

    return answer


def main(args: list[str] | None = None) -> int:
    """Run the policy node in a process of its own."""
    return run_node(PolicyNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
