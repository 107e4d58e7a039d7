"""The policy node alone, for policy.launch.py: arguments that are not given change nothing."""

from collections.abc import Mapping

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.argument import Argument
from kinfer_ros.launching.arguments import check_namespace
from kinfer_ros.launching.arguments import check_params_file
from kinfer_ros.launching.graph import NodeSpec

SWITCHES = ('true', 'false', '')

ARGUMENTS = (
    Argument('model', '', 'Policy file (.kinfer or .onnx); else as in the params_file.'),
    Argument('spec', '', 'Policy spec (YAML) of an .onnx file that takes one flat vector.'),
    Argument('policies', '', 'Policy set (YAML), in place of model and spec.'),
    Argument('robot', '', 'Robot: a name in config/robots, or the path of a YAML.'),
    Argument('namespace', '', 'Namespace of the node.'),
    Argument('params_file', '', 'YAML with parameters; else config/policy.yaml.'),
    Argument('use_sim_time', '', 'Use /clock; else as the larger launch file says.', SWITCHES),
    Argument('autostart', '', 'Configure and activate at start.', SWITCHES),
)


def policy_node(arguments: Mapping[str, str]) -> NodeSpec:
    """
    Return the policy node.

    :raises ConfigError: a value of the wrong type, or a params_file that holds no parameters.
    """
    check_namespace(arguments['namespace'])
    check_params_file(arguments['params_file'])
    spec = NodeSpec('policy_node')
    for name in ('model', 'spec', 'policies', 'robot'):
        if arguments[name]:
            spec.given[name] = arguments[name]
    for name in ('use_sim_time', 'autostart'):
        if arguments[name] not in SWITCHES:
            raise ConfigError(
                f'argument {name}: found {arguments[name]!r}, expected true or false'
            )
        if arguments[name]:
            spec.given[name] = arguments[name] == 'true'
    return spec
