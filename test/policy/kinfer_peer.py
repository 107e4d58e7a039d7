"""Runs a `.kinfer` file in kinfer's own runtime on recorded inputs.

Not a test: test_kinfer_peer.py starts it with the interpreter of kinfer's virtual environment, as
`kinfer_peer.py MODEL INPUTS.npz ACTIONS.npz`. Arrays of INPUTS are (steps, size), by input name;
ACTIONS gets `actions`, (steps, joints).
"""

from __future__ import annotations

import datetime
import sys

import numpy as np
from kinfer.rust_bindings import ModelProviderABC
from kinfer.rust_bindings import PyModelRunner


class Recorded(ModelProviderABC):
    """Hands out recorded inputs, one row a step, and keeps the actions."""

    def __new__(cls, *_):
        """Kinfer's base class, made in Rust, takes no arguments."""
        return super().__new__(cls)

    def __init__(self, inputs):
        self.inputs = inputs
        self.actions = []

    def pre_fetch_inputs(self, input_types, metadata):
        """Nothing to fetch ahead."""

    def get_inputs(self, input_types, metadata):
        """:return: this step's row of the requested inputs."""
        row = len(self.actions)
        return {name: self.inputs[name][row] for name in input_types if name != 'carry'}

    def take_action(self, action, metadata):
        """Keep a copy."""
        self.actions.append(np.array(action, np.float32))


def main(model, inputs, actions):
    """Run as many steps as there are rows."""
    with np.load(inputs, allow_pickle=False) as recorded:
        provider = Recorded({name: recorded[name] for name in recorded.files})
    steps = min(len(rows) for rows in provider.inputs.values())
    # `run` and not `step_and_take_action`: only `run` starts from the carry of init_fn.
    runner = PyModelRunner(model, provider, None)
    runner.run(datetime.timedelta(milliseconds=1), total_steps=steps)
    np.savez(actions, actions=np.stack(provider.actions))


if __name__ == '__main__':
    main(*sys.argv[1:])
