"""The exceptions of the package.

Every problem with a file, a parameter, a message or a machine is raised as a KinferRosError; the
commands print its text and exit with code 2. Any other exception is a bug and shows its traceback.
"""

from kinfer_ros.text import printable
from kinfer_ros.text import shortened


class KinferRosError(Exception):
    """
    Base class; the text says what was found, what was expected, and where.

    Text of files that stands in it cannot control a terminal, and does not make it endless.
    """

    def __init__(self, text: object = '') -> None:
        super().__init__(printable(shortened(str(text))))


class ModelError(KinferRosError):
    """A policy file is missing, damaged, or not of its format."""


class MetadataError(ModelError, ValueError):
    """No metadata of kinfer, or no input of it; kinfer's ValueError."""


class TrialError(ModelError):
    """A policy file takes too long or too much memory, or ends the process that tries it."""


class RobotError(KinferRosError):
    """A robot YAML or its MJCF is missing, unreadable or inconsistent."""


class ConfigError(KinferRosError):
    """A parameter, argument or configuration file has a value that cannot be used."""


class ContractError(KinferRosError):
    """The policy's contract does not fit the robot, or the live graph."""


class MessageError(KinferRosError):
    """The bytes of a ROS message, or of a datagram, are none of its type."""


class ProviderError(KinferRosError, RuntimeError):
    """A provider in kinfer's style failed, or its inputs do not fit; kinfer's RuntimeError."""


class BridgeError(KinferRosError):
    """The robot side refused a command or could not be reached."""


class GraphError(KinferRosError):
    """A node or service is not in the graph, does not answer, or refuses and says why."""


class RunError(KinferRosError):
    """A run directory or one of its files cannot be created, written or read."""


class NotReady(KinferRosError):
    """Something is not available yet (sensors, gains, clock): try again."""


class Refused(KinferRosError):
    """The robot must not be moved now; a person must solve the problem, then try again."""


class NonFiniteError(KinferRosError):
    """A NaN or an infinity: refused, never clamped."""
