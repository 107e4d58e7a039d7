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
from kinfer_ros.policy.importers.contract import refuse_stiff_wheels
from kinfer_ros.policy.importers.leapp_pipeline import Model
from kinfer_ros.policy.importers.leapp_pipeline import connect
from kinfer_ros.policy.importers.leapp_pipeline import read_models
from kinfer_ros.policy.importers.leapp_pipeline import read_outputs
from kinfer_ros.policy.importers.leapp_tensors import BundleTensor
from kinfer_ros.policy.importers.leapp_tensors import joint_source
from kinfer_ros.policy.importers.leapp_tensors import moved_robot
from kinfer_ros.policy.importers.leapp_tensors import read_term
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.safetensors import read_safetensors
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32

TARGETS = {
    'target/joint/position': {'relative_to': 'zero'},
    'target/joint/velocity': {'target': 'velocity'},
}
"""Kinds of outputs that move joints, with what they are in a group of an action."""
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
    models = read_models(root)
    policy = models[-1]
    pipeline = root.section('pipeline')
    if pipeline is None:
        found = format_value(root.plain('pipeline'))
        raise root.error(f'found {found}, expected inputs, outputs and feedback_flow', 'pipeline')
    contract = ImportedContract(file.path.stem, [], None, pose_is_start=True)
    connect(pipeline, models)
    used = read_outputs(contract, pipeline, models)
    free = [tensor for model in models for tensor in model.free]
    robot = moved_robot(free, used)
    _read_joints(contract, [*free, *used], robot)
    _read_targets(contract, pipeline, used)
    _read_rate(contract, pipeline)
    paths = [_read_path(file, model.parameters) for model in models]
    contract.model = paths[-1]
    blocks = [_blocks(contract, model, robot) for model in models]
    contract.observation = blocks[-1][0] if blocks[-1] else {}
    contract.observation_inputs = blocks[-1] if len(blocks[-1]) > 1 else []
    _add_networks(contract, models, paths, blocks)
    initial_path = _initial_path(file, pipeline)
    file.finish()
    graphs = [
        _load_network(path, model.parameters, probed=model is policy)
        for path, model in zip(paths, models, strict=True)
    ]
    _read_states(contract, initial_path, models)
    _read_gains(contract, graphs[-1], used)
    refuse_stiff_wheels(pipeline, 'outputs', contract)
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


# The contract ----------------------------------------------------------------------------


def _read_joints(contract: ImportedContract, tensors: list[BundleTensor], robot: str) -> None:
    """All joints that are seen or moved, in the order of the tensor that has most."""
    lists = [
        list(t.names) for t in tensors if joint_source(t, robot) or t.kind in (*TARGETS, *GAINS)
    ]
    order = sorted(lists, key=len, reverse=True)
    contract.joints = list(dict.fromkeys(name for names in order for name in names))
    contract.robot_joints = contract.joints


def _read_targets(contract: ImportedContract, pipeline: Section, used: list[BundleTensor]) -> None:
    targets = [tensor for tensor in used if tensor.kind in TARGETS]
    others = [tensor for tensor in used if tensor.kind not in (*TARGETS, *GAINS)]
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
            f'found {found}, expected targets of the kinds {" and ".join(TARGETS)} alone: a '
            'target here is a joint position or velocity',
            'outputs',
        )
    if others:
        names = ', '.join(tensor.name for tensor in others)
        contract.assume(f'outputs that are not used: {names}')
    groups = [
        {
            'output': tensor.name,
            'joints': list(tensor.names) or fill_in(f'{tensor.width} names, in their order'),
            **TARGETS[tensor.kind or ''],
            'scale': 1.0,
        }
        for tensor in targets
    ]
    contract.set_action(groups)


def _blocks(contract: ImportedContract, model: Model, robot: str) -> list[dict[str, Any]]:
    """:return: an entry of the observation for each input that is no state, in their order."""
    blocks = []
    for name, tensor in model.inputs.items():
        if name in model.states:
            continue
        if name in model.sources:
            source, output = model.sources[name]
            term = {'source': 'network', 'name': source, 'output': output, 'count': tensor.width}
        else:
            term = read_term(contract, tensor, robot)
        blocks.append({'input': name, 'terms': [term]})
    return blocks


def _add_networks(
    contract: ImportedContract,
    models: list[Model],
    paths: list[Path],
    blocks: list[list[dict[str, Any]]],
) -> None:
    """Add the models before the policy's own, which has to be beside them."""
    for model, path, own in zip(models[:-1], paths[:-1], blocks[:-1], strict=True):
        folder = paths[-1].parent
        if not path.is_relative_to(folder):
            text = f'found {path.name} above the network of {models[-1].name}, expected it below'
            model.parameters.problem(text, 'model_path')
            continue
        file = path.relative_to(folder).as_posix()
        contract.networks[model.name] = {'file': file, 'observation': own}


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


def _load_network(path: Path, parameters: Section, *, probed: bool) -> Graph:
    """
    Load a network, after a trial in a process of its own.

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
    try_policy(archive, None, 1, TrialLimits(), only_graph=True, probed=probed)
    return Graph(archive.step_fn, str(path), external=archive.external)


def _initial_path(file: YamlFile, pipeline: Section) -> Path | None:
    if pipeline.plain('initial_values') is None:
        return None
    return _beside(file, pipeline, 'initial_values')


def _read_states(contract: ImportedContract, path: Path | None, models: list[Model]) -> None:
    """Write what feeds back, and what it begins with, where that is not 0."""
    given = {} if path is None else read_safetensors(path)
    known = {f'{model.name}/{name}': (model, name) for model in models for name in model.states}
    if others := [key for key in given if key not in known]:
        raise ModelError(
            f'{path}: found {", ".join(others)}, expected inputs with feedback: '
            f'{", ".join(known) or "none"}'
        )
    for model in models:
        if not model.states:
            continue
        states: dict[str, Any] = {'pair': model.states}
        own = {name: key for key, (each, name) in known.items() if each is model and key in given}
        starts = {
            name: _start(f'{path}: {key}', given[key], model.inputs[name].width)
            for name, key in own.items()
        }
        if starts := {name: start for name, start in starts.items() if start != 0.0}:
            states['initial'] = starts
        if model is models[-1]:
            contract.states = states
        else:
            contract.networks[model.name]['states'] = states


def _start(where: str, values: Any, width: int) -> float | list[float]:
    """:return: what a state begins with: one number where all are equal."""
    if values.size != width:
        raise ModelError(f'{where}: found {values.size} numbers, expected {width}')
    numbers = _plain(values)
    if not all(map(is_float32, numbers)):
        raise ModelError(f'{where}: found a number that is not finite')
    start = collapse_equal(numbers)
    if isinstance(start, list) and len(start) > MAX_INITIAL:
        raise ModelError(
            f'{where}: found {len(start)} different numbers, expected at most {MAX_INITIAL}, or '
            'all the same'
        )
    return start


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
