"""The one exception family of the package.

Everything that can go wrong through a file, a parameter, a message or a machine is raised as a
KinferRosError; the commands print its text and exit with code 2. Whatever else is raised is a bug
of ours and shows its traceback.
"""

from __future__ import annotations


class KinferRosError(Exception):
    """Base of all errors a user can cause; its text says what was found, expected, and where."""


class ModelError(KinferRosError):
    """A policy file is missing, damaged, or not what its format says."""


class RobotError(KinferRosError):
    """A robot YAML or its MJCF is missing, unreadable or inconsistent."""


class ConfigError(KinferRosError):
    """A parameter, argument or configuration file has a value that cannot be used."""


class ContractError(KinferRosError):
    """The policy's contract does not fit the robot, or the live graph."""


class BridgeError(KinferRosError):
    """The robot side refused a command or could not be reached."""


class RunError(KinferRosError):
    """A run directory or one of its files cannot be made, written or read."""


class NotReady(KinferRosError):
    """Something that may still come is not there yet (sensors, gains, clock): try again."""


class Refused(KinferRosError):
    """The robot must not be moved as things stand: mend that, then ask again; never by itself."""


class NonFiniteError(KinferRosError):
    """A NaN or an infinity where a number has to be: refused, never clamped."""
