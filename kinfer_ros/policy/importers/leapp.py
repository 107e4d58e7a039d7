"""Reads a LEAPP bundle (NVIDIA's `leapp`): a YAML, its network in ONNX, and initial states.

Semantics as in LEAPP's InferenceManager: an input is given by the robot, or fed by an output of
the tick before (feedback_flow) and then begins at the values of a .safetensors file, else at 0.
Isaac Lab puts scale, history and default pose into the network: inputs are plain states, outputs
joint targets in rad, and the gains constant outputs.
"""

import hashlib
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.graph import probe
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.leapp_tensors import BundleTensor
from kinfer_ros.policy.importers.leapp_tensors import joint_source
from kinfer_ros.policy.importers.leapp_tensors import moved_robot
from kinfer_ros.policy.importers.leapp_tensors import read_tensors
from kinfer_ros.policy.importers.leapp_tensors import read_term
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.safetensors import read_safetensors
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32

TARGET = 'target/joint/position'
GAINS = {'kp': 'kp', 'kd': 'kd'}
"""Kinds of outputs, by the attribute of the contract."""
SYSTEM = 'system information'
MAX_INITIAL = 8192
"""Numbers of a state that do not all begin equal."""


def is_leapp(root: Section) -> bool:
    """Whether the content is that of a LEAPP bundle."""
    return root.has('models') and root.has('pipeline')


def read_leapp(file: YamlFile) -> ImportedContract:
    """
    Read a contract from a bundle.

    :param file: read leniently; keys that are not read are listed.
    :raises ModelError: keys are missing or wrong, the network is not the one that was exported.
    """
    root = file.root
    root.has(SYSTEM)
    name, model = _only_model(root)
    pipeline = root.section('pipeline')
    if pipeline is None:
        found = format_value(root.plain('pipeline'))
        raise root.error(f'found {found}, expected inputs, outputs and feedback_flow', 'pipeline')
    contract = ImportedContract(file.path.stem, [], None, pose_is_start=True)
    inputs, outputs = read_tensors(model, 'inputs'), read_tensors(model, 'outputs')
    pairs = _read_feedback(pipeline, name, inputs, outputs)
    used = _read_outputs(pipeline, name, outputs)
    _check_inputs(pipeline, name, inputs, pairs)
    free = [tensor for tensor in inputs.values() if tensor.name not in pairs]
    robot = moved_robot(free, used)
    _read_joints(contract, [*free, *used], robot)
    _read_targets(contract, pipeline, used)
    _read_observation(contract, free, robot)
    _read_rate(contract, pipeline)
    parameters = model.section('parameters')
    if parameters is None:
        file.finish()
        raise root.error('found a model without its file', 'models')
    contract.model = _read_path(file, parameters)
    file.finish()
    graph = _load_network(contract.model, parameters)
    if pairs:
        initial = _read_initial(file, pipeline, name, inputs, pairs)
        contract.states = {'pair': pairs} | ({'initial': initial} if initial else {})
    _read_gains(contract, graph, used)
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _only_model(root: Section) -> tuple[str, Section]:
    models = root.section('models')
    found = {} if models is None else models.sections()
    if len(found) != 1:
        listed = ', '.join(found) or 'none'
        raise root.error(
            f'found {listed}, expected one: a pipeline of several networks cannot be imported',
            'models',
        )
    return next(iter(found.items()))


# The pipeline ----------------------------------------------------------------------------


def _read_feedback(
    pipeline: Section,
    model: str,
    inputs: dict[str, BundleTensor],
    outputs: dict[str, BundleTensor],
) -> dict[str, str]:
    """:return: the output that feeds an input in the next tick."""
    if pipeline.plain('data_flow'):
        pipeline.problem('found connections, expected none of a single network', 'data_flow')
    flow = pipeline.plain('feedback_flow') or {}
    if not isinstance(flow, dict):
        pipeline.problem(f'found {format_value(flow)}, expected a mapping', 'feedback_flow')
        return {}
    pairs: dict[str, str] = {}
    for source, targets in flow.items():
        output = _own(source, model, outputs)
        names = targets if isinstance(targets, list) else [targets]
        for target in names:
            fed = _own(target, model, inputs)
            if output is None or fed is None or fed in pairs:
                pipeline.problem(
                    f'found {format_value(source)} to {format_value(target)}, expected an output '
                    f'and an input of {model}, as {model}/NAME, each input once',
                    'feedback_flow',
                )
                continue
            _compare_shapes(pipeline, outputs[output], inputs[fed])
            pairs[fed] = output
    return pairs


def _own(place: Any, model: str, tensors: dict[str, BundleTensor]) -> str | None:
    """:return: the tensor that `model/name` names; None where there is none."""
    name = place.removeprefix(f'{model}/') if isinstance(place, str) else ''
    return name if place == f'{model}/{name}' and name in tensors else None


def _compare_shapes(pipeline: Section, source: BundleTensor, target: BundleTensor) -> None:
    if source.section.plain('shape') != target.section.plain('shape'):
        pipeline.problem(
            f'found {source.name} and {target.name} with different shapes, expected the same',
            'feedback_flow',
        )


def _listed(pipeline: Section, key: str, model: str) -> list[str]:
    """:return: the names under pipeline.inputs or outputs of the model."""
    value = pipeline.plain(key)
    names = value.get(model) if isinstance(value, dict) else None
    if (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and list(value) == [model]
    ):
        return list(names)
    pipeline.problem(f'found {format_value(value)}, expected {{{model}: [NAME, ...]}}', key)
    return []


def _check_inputs(
    pipeline: Section, model: str, inputs: dict[str, BundleTensor], pairs: dict[str, str]
) -> None:
    given = _listed(pipeline, 'inputs', model)
    wanted = [name for name in inputs if name not in pairs]
    if given and sorted(given) != sorted(wanted):
        pipeline.problem(
            f'found {", ".join(given)}, expected the inputs that no feedback fills: '
            f'{", ".join(wanted) or "none"}',
            'inputs',
        )


def _read_outputs(
    pipeline: Section, model: str, outputs: dict[str, BundleTensor]
) -> list[BundleTensor]:
    """:return: the outputs that leave the pipeline."""
    names = _listed(pipeline, 'outputs', model)
    if unknown := [name for name in names if name not in outputs]:
        pipeline.problem(
            f'found {", ".join(unknown)}, expected outputs of {model}: {", ".join(outputs)}',
            'outputs',
        )
    return [outputs[name] for name in names if name in outputs]


# The contract ----------------------------------------------------------------------------


def _read_joints(contract: ImportedContract, tensors: list[BundleTensor], robot: str) -> None:
    """All joints that are seen or moved, in the order of the tensor that has most."""
    lists = [
        list(t.names) for t in tensors if joint_source(t, robot) or t.kind in (TARGET, *GAINS)
    ]
    order = sorted(lists, key=len, reverse=True)
    contract.joints = list(dict.fromkeys(name for names in order for name in names))
    contract.robot_joints = contract.joints


def _read_targets(contract: ImportedContract, pipeline: Section, used: list[BundleTensor]) -> None:
    targets = [tensor for tensor in used if tensor.kind == TARGET]
    others = [tensor for tensor in used if tensor.kind not in (TARGET, *GAINS)]
    if not targets and len(others) == 1 and others[0].kind is None:
        (output,) = others
        place = fill_in(f'{output.width} names, in the order of the output')
        contract.action = {
            'output': output.name,
            'joints': list(output.names) or place,
            'relative_to': fill_in('zero if the output is a joint position in rad'),
            'scale': fill_in('1.0 if the output is a joint position in rad'),
        }
        return
    wrong = [tensor for tensor in others if (tensor.kind or '').startswith('target/')]
    if wrong or not targets:
        found = ', '.join(f'{each.name} ({each.kind})' for each in wrong or used) or 'nothing'
        pipeline.problem(
            f'found {found}, expected targets of the kind {TARGET} alone: a target here is a '
            'joint position',
            'outputs',
        )
    if others:
        names = ', '.join(tensor.name for tensor in others)
        contract.assume(f'outputs that are not used: {names}')
    groups = [
        {
            'output': tensor.name,
            'joints': list(tensor.names) or fill_in(f'{tensor.width} names, in their order'),
            'relative_to': 'zero',
            'scale': 1.0,
        }
        for tensor in targets
    ]
    contract.action = groups[0] if groups else {}
    contract.action_groups = groups if len(groups) > 1 else []


def _read_observation(contract: ImportedContract, free: list[BundleTensor], robot: str) -> None:
    blocks = [
        {'input': tensor.name, 'terms': [read_term(contract, tensor, robot)]} for tensor in free
    ]
    contract.observation = blocks[0] if blocks else {}
    contract.observation_inputs = blocks if len(blocks) > 1 else []


def _read_rate(contract: ImportedContract, pipeline: Section) -> None:
    configs = pipeline.section('configs') if pipeline.plain('configs') is not None else None
    if configs is None or configs.plain('frequency') is None:
        contract.unknown_rate = True
        return
    contract.control_rate = round(configs.number('frequency', 'Hz', 0.1, MAX_RATE_HZ), 6)


# The files beside ------------------------------------------------------------------------


def _beside(file: YamlFile, section: Section, key: str) -> Path:
    """Return the path of a file that the bundle names; only one below its folder is taken."""
    text = section.string(key)
    place = PurePosixPath(text)
    if text and (place.is_absolute() or '..' in place.parts or '\\' in text):
        section.problem(f'found {text!r}, expected a file beside the bundle', key)
    return file.path.parent / place


def _read_path(file: YamlFile, parameters: Section) -> Path:
    for key in ('md5sum', 'opset_version'):
        parameters.has(key)
    backend = parameters.string('backend')
    if backend and backend != 'onnx':
        parameters.problem(
            f'found {backend}, expected onnx: export it with --export_method onnx-dynamo',
            'backend',
        )
    if parameters.plain('warp_segments') not in (None, 0):
        parameters.problem(
            'found parts that run in Warp, expected 0: they are operators of its own',
            'warp_segments',
        )
    return _beside(file, parameters, 'model_path')


def _load_network(path: Path, parameters: Section) -> Graph:
    """
    Load the network, after a trial in a process of its own.

    :raises ModelError: it cannot be used, or is not the one that the bundle was exported with.
    """
    archive = read_archive(path)
    if archive.init_fn is not None:
        raise ModelError(f'{path}: found a kinfer archive, expected an .onnx file')
    stated = parameters.plain('sha256sum')
    found = hashlib.sha256(archive.step_fn).hexdigest()
    if stated not in (None, found):
        raise parameters.error(
            f'found {format_value(stated)}, expected {found}, that of {path.name}: it is not the '
            'network that the bundle was exported with',
            'sha256sum',
        )
    try_policy(archive, None, 1, TrialLimits(), only_graph=True, probed=True)
    return Graph(archive.step_fn, str(path), external=archive.external)


def _read_initial(
    file: YamlFile,
    pipeline: Section,
    model: str,
    inputs: dict[str, BundleTensor],
    pairs: dict[str, str],
) -> dict[str, Any]:
    """:return: what the states begin with, where that is not 0."""
    if pipeline.plain('initial_values') is None:
        return {}
    path = _beside(file, pipeline, 'initial_values')
    file.finish()
    initial: dict[str, Any] = {}
    for key, values in read_safetensors(path).items():
        name = _own(key, model, inputs)
        if name is None or name not in pairs:
            wanted = ', '.join(f'{model}/{each}' for each in pairs)
            raise ModelError(f'{path}: found {key}, expected inputs with feedback: {wanted}')
        if values.size != inputs[name].width:
            raise ModelError(
                f'{path}: {key}: found {values.size} numbers, expected {inputs[name].width}'
            )
        numbers = _plain(values)
        if not all(map(is_float32, numbers)):
            raise ModelError(f'{path}: {key}: found a number that is not finite')
        start = collapse_equal(numbers)
        if isinstance(start, list) and len(start) > MAX_INITIAL:
            raise ModelError(
                f'{path}: {key}: found {len(start)} different numbers, expected at most '
                f'{MAX_INITIAL}, or all the same'
            )
        if start != 0.0:
            initial[name] = start
    return initial


def _plain(values: Any) -> list[float]:
    """:return: the shortest numbers that are these values in their own type."""
    return [float(str(value)) for value in np.asarray(values + 0).reshape(-1)]


def _read_gains(contract: ImportedContract, graph: Graph, used: list[BundleTensor]) -> None:
    """Read the gains, which are constant outputs of the network."""
    constants = probe(graph) if any(tensor.kind in GAINS for tensor in used) else {}
    known: dict[str, dict[str, float]] = {key: {} for key in GAINS}
    for tensor in used:
        if tensor.kind not in GAINS:
            continue
        values = constants.get(tensor.name)
        if values is None or values.size != len(tensor.names):
            raise _gain_error(graph, tensor, 'a constant for each of its joints')
        numbers = _plain(values)
        if not all(is_float32(value) and value >= 0.0 for value in numbers):
            raise _gain_error(graph, tensor, 'finite numbers from 0 on')
        known[tensor.kind] |= dict(zip(tensor.names, numbers, strict=True))
    kp, kd = known['kp'], known['kd']
    contract.unknown_gains = [n for n in contract.joints if not kp.get(n) and not kd.get(n)]
    if len(contract.unknown_gains) < len(contract.joints):
        contract.kp = [kp.get(name, 0.0) for name in contract.joints]
        contract.kd = [kd.get(name, 0.0) for name in contract.joints]


def _gain_error(graph: Graph, tensor: BundleTensor, expected: str) -> KinferRosError:
    return ModelError(
        f'{graph.where}: output {tensor.name!r}, of the kind {tensor.kind}: found something else, '
        f'expected {expected}: gains that change are not supported'
    )
