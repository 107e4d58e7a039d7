"""Runs a policy with a provider in kinfer's style: read, infer, act, on an absolute schedule."""

import os
import time
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.control.timing import Schedule
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ProviderError
from kinfer_ros.kinfer.log import StepLog
from kinfer_ros.kinfer.metadata import PyModelMetadata
from kinfer_ros.kinfer.provider import ModelProviderABC
from kinfer_ros.policy.policy import load_model

SPIN_NS = 300_000
"""How long before a step is due the loop watches the clock in place of sleeping, as in kinfer."""


class PyModelRunner:
    """
    Runs one policy file.

    :ivar schedule: lateness and missed ticks of the newest `run`; None before it.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        provider: ModelProviderABC,
        pre_fetch_time_ms: int | None = None,
        *,
        spec: str | os.PathLike[str] | None = None,
    ) -> None:
        """
        Load a policy.

        :param pre_fetch_time_ms: ms between `pre_fetch_inputs` and `get_inputs` of a step; None:
            no `pre_fetch_inputs`.
        :param spec: a policy spec, for an ONNX file that takes one flat vector.
        :raises ProviderError: the file cannot be used; a RuntimeError, as kinfer raises.
        """
        try:
            self._policy = load_model(model_path, spec)
            folder = os.environ.get('KINFER_LOG_PATH')
            self._log = StepLog(folder) if folder else None
        except (KinferRosError, OSError) as error:
            raise ProviderError(str(error)) from error
        if self._log is not None:
            weakref.finalize(self, self._log.close)
        contract = self._policy.contract
        self._provider = provider
        self._pre_fetch_s = None if pre_fetch_time_ms is None else pre_fetch_time_ms / 1000
        self._names = [each.name for each in contract.inputs]
        self._sizes = {each.name: self._policy.inputs[each.name].size for each in contract.inputs}
        self._joints = list(contract.joint_names)
        self._commands = list(contract.command_names)
        self._carry_size = list(contract.carry_shape or ())
        self.schedule: Schedule | None = None

    def run(
        self,
        dt: timedelta,
        total_runtime: timedelta | None = None,
        total_steps: int | None = None,
    ) -> None:
        """
        Reset the policy and step it each `dt`, until the run time or the steps are over.

        It never catches up: a run that falls two steps behind goes on from the newest one that
        is due, and `schedule` counts the others.

        :raises ProviderError: the provider raised, or its inputs do not fit.
        :raises ValueError: `dt` is not positive.
        """
        period_ns = _ns(dt)
        if period_ns <= 0:
            raise ValueError(f'dt: found {dt}, expected a positive time')
        self._policy.reset()
        start_ns = time.monotonic_ns()
        due_ns = start_ns + period_ns
        schedule = self.schedule = Schedule(due_ns, period_ns)
        steps = 0
        while True:
            _wait_until(due_ns)
            tick_ns = time.monotonic_ns()
            schedule.tick(tick_ns)
            self.step_and_take_action()
            steps += 1
            if total_runtime is not None and tick_ns - start_ns >= _ns(total_runtime):
                return
            if total_steps is not None and steps >= total_steps:
                return
            behind = (time.monotonic_ns() - due_ns) // period_ns
            due_ns += period_ns * max(1, behind)

    def step_and_take_action(self) -> None:
        """
        Make one step now; before the first one the carry is that of init_fn.

        :raises ProviderError: the provider raised, or its inputs do not fit.
        """
        if self._pre_fetch_s is not None:
            begin = time.monotonic()
            self._ask('pre_fetch_inputs', self._provider.pre_fetch_inputs, list(self._names))
            time.sleep(max(0.0, self._pre_fetch_s - (time.monotonic() - begin)))
        given = self._ask('get_inputs', self._provider.get_inputs, list(self._names))
        try:
            inputs = self._convert(given)
            action = self._policy.step(inputs)
        except KinferRosError as error:
            raise ProviderError(str(error)) from error
        if self._log is not None:
            self._log.add(inputs, action)
        self._ask('take_action', self._provider.take_action, action)

    def _ask(self, name: str, method: Callable[..., Any], argument: Any) -> Any:
        # A metadata of its own for each call, as in kinfer: a provider may change it.
        metadata = PyModelMetadata(
            list(self._joints), list(self._commands), list(self._carry_size)
        )
        try:
            return method(argument, metadata)
        except Exception as error:
            raise ProviderError(
                f'Provider error: {name}: {type(error).__name__}: {error}'
            ) from error

    def _convert(self, given: object) -> dict[str, Float32]:
        """Return the provider's inputs by name, as vectors; other entries are ignored."""
        if not isinstance(given, Mapping):
            raise ProviderError(f'get_inputs returned a {type(given).__name__}, expected a dict')
        inputs = {}
        for name, size in self._sizes.items():
            if name not in given:
                raise ProviderError(f'Missing input: {name}')
            try:
                array = np.asarray(given[name], np.float32)
            except (TypeError, ValueError) as error:
                raise ProviderError(f'input {name}: {error}') from None
            if array.size != size:
                raise ProviderError(
                    f'Shape mismatch for {name}: expected {size} f32s, got {array.size}'
                )
            inputs[name] = array.reshape(self._policy.inputs[name].shape)
        return inputs


def _ns(time_span: timedelta) -> int:
    return round(time_span / timedelta(microseconds=1)) * 1000


def _wait_until(due_ns: int) -> None:
    """Sleep until shortly before a time of the steady clock, then watch it."""
    while (left_ns := due_ns - time.monotonic_ns()) > 0:
        if left_ns > SPIN_NS:
            time.sleep((left_ns - SPIN_NS) / 1e9)
