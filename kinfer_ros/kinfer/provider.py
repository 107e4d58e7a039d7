"""The class that a script for kinfer derives from: sensors in, actions out."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy.typing as npt

from kinfer_ros.arrays import Float32
from kinfer_ros.kinfer.metadata import PyModelMetadata


class ModelProviderABC:
    """Gives the runner its inputs and takes its actions; each method is to be overridden."""

    def pre_fetch_inputs(self, input_types: Sequence[str], metadata: PyModelMetadata) -> None:
        """Begin to read the sensors; called only by a runner with `pre_fetch_time_ms`."""
        raise NotImplementedError(f'Must override pre_fetch_inputs with {list(input_types)}')

    def get_inputs(
        self, input_types: Sequence[str], metadata: PyModelMetadata
    ) -> Mapping[str, npt.ArrayLike]:
        """
        Return the inputs of one step.

        :param input_types: names of the inputs that the policy takes, without its carry.
        :return: an array for each, in the units of docs/policies.md.
        """
        raise NotImplementedError(f'Must override get_inputs with {list(input_types)}')

    def take_action(self, action: Float32, metadata: PyModelMetadata) -> None:
        """
        Send the action to the robot.

        :param action: joint position targets, rad, in `metadata.joint_names` order.
        """
        raise NotImplementedError(f'Must override take_action with {len(action)} elements')
