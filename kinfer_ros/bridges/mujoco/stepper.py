"""Advances MuJoCo's physics, and computes the sensors of the state that it has come to.

`mj_step` leaves the sensors of the state before its last step; `refresh` computes those of the
present one. For that it does the first half of the next step (kinematics, contacts), so the next
step begins with the second half. The motion equals that of a plain mj_step loop to the bit.
"""

from collections.abc import Callable
from typing import Any

import mujoco

SENSORS_OFF = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
UNSTABLE = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)

State = tuple[bytes, bytes, bytes]
Each = Callable[[], None]


class Stepper:
    """
    Steps one model.

    Whoever writes positions, velocities or held bases into the data between two calls need not
    say so; who changes the model itself calls `refresh`.

    :ivar steps: made so far.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self._model = model
        self._data = data
        self._options = model.opt
        # Views and statistics that MuJoCo writes into: looking them up takes longer than reading.
        self._qpos, self._qvel, self._held = data.qpos, data.qvel, data.eq_active
        self._bad_qpos, self._bad_qvel, self._bad_qacc = (data.warning[kind] for kind in UNSTABLE)
        # Runge-Kutta evaluates several states in one step, and what can be switched on (sleep)
        # may end a step in another way.
        in_halves = model.opt.integrator != mujoco.mjtIntegrator.mjINT_RK4
        self._in_halves = in_halves and not model.opt.enableflags
        self._refreshed: State | None = None
        self.steps = 0

    def step(self, n: int = 1, before: Each | None = None, after: Each | None = None) -> None:
        """
        Advance by n physics steps; the sensors keep their readings until `refresh`.

        :param before: called before each step, `after` after it.
        """
        if not n:
            return
        halfway = self._refreshed is not None and self._refreshed == self._state()
        self._refreshed = None
        self._options.disableflags |= SENSORS_OFF
        if before is None and after is None:
            self._step(n, halfway)
        else:
            for _ in range(n):
                if before is not None:
                    before()
                self._step(1, halfway)
                halfway = False
                if after is not None:
                    after()
        self._options.disableflags &= ~SENSORS_OFF

    def _step(self, n: int, halfway: bool) -> None:
        if halfway:
            mujoco.mj_step2(self._model, self._data)
        if n > halfway:
            mujoco.mj_step(self._model, self._data, nstep=n - halfway)
        self.steps += n

    def refresh(self) -> None:
        """Compute contacts, forces, accelerations and sensors of the present state."""
        # A step begins with these checks; the other half of one does not.
        mujoco.mj_checkPos(self._model, self._data)
        mujoco.mj_checkVel(self._model, self._data)
        # This does not change the solver's warm start.
        mujoco.mj_forward(self._model, self._data)
        self._refreshed = self._state() if self._in_halves else None

    @property
    def unstable(self) -> bool:
        """Whether MuJoCo has found a state or an acceleration that is not plausible."""
        return bool(self._bad_qpos.number or self._bad_qvel.number or self._bad_qacc.number)

    def _state(self) -> State:
        """Return all that the first half of a step depends on and that changes in a run."""
        return self._qpos.tobytes(), self._qvel.tobytes(), self._held.tobytes()
