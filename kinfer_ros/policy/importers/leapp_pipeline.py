"""Reads the models of a LEAPP bundle, and what its pipeline connects."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.leapp_tensors import BundleTensor
from kinfer_ros.policy.importers.leapp_tensors import read_tensors
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import format_value

DATA, FEEDBACK = 'data_flow', 'feedback_flow'


@dataclass
class Model:
    """A network of the bundle; they run in the order of the file."""

    name: str
    parameters: Section
    inputs: dict[str, BundleTensor]
    outputs: dict[str, BundleTensor]
    states: dict[str, str] = field(default_factory=dict)
    """Inputs that an own output of the tick before feeds."""
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Inputs that another model feeds in the same tick: its name, its output."""

    @property
    def free(self) -> list[BundleTensor]:
        """Inputs that the robot has to fill."""
        fed = (*self.states, *self.sources)
        return [tensor for name, tensor in self.inputs.items() if name not in fed]


def read_models(root: Section) -> list[Model]:
    """
    Read all models; the last one is the policy.

    :raises ModelError: there is none, or one has no file.
    """
    section = root.section('models')
    found = {} if section is None else section.sections()
    models = []
    for name, each in found.items():
        parameters = each.section('parameters')
        if parameters is None or '/' in name:
            raise root.error(f'found {name} without parameters, expected its file', 'models')
        inputs, outputs = read_tensors(each, 'inputs'), read_tensors(each, 'outputs')
        models.append(Model(name, parameters, inputs, outputs))
    if not models:
        raise root.error('found none, expected one or more', 'models')
    return models


def connect(pipeline: Section, models: list[Model]) -> None:
    """Note in the models what feeds their inputs, and compare the inputs of the pipeline."""
    for key in (DATA, FEEDBACK):
        flow = pipeline.plain(key) or {}
        if not isinstance(flow, dict):
            pipeline.problem(f'found {format_value(flow)}, expected a mapping', key)
            continue
        for source, targets in flow.items():
            for target in targets if isinstance(targets, list) else [targets]:
                if wrong := _connect(models, key, source, target):
                    found = f'{format_value(source)} to {format_value(target)}'
                    pipeline.problem(f'found {found}, expected {wrong}', key)
    _check_inputs(pipeline, models)


def _connect(models: list[Model], key: str, source: Any, target: Any) -> str:
    """:return: what was expected, '' where all is well."""
    from_model, output = _find(source, models, 'outputs')
    to_model, fed = _find(target, models, 'inputs')
    if from_model is None or to_model is None or fed in (*to_model.states, *to_model.sources):
        return 'an output and an input of the models, as MODEL/NAME, each input once'
    shapes = [
        tensor.section.plain('shape')
        for tensor in (from_model.outputs[output], to_model.inputs[fed])
    ]
    if shapes[0] != shapes[1]:
        return f'the same shape: they have {shapes[0]} and {shapes[1]}'
    if key == FEEDBACK and from_model is to_model:
        to_model.states[fed] = output
    elif key == FEEDBACK:
        return 'feedback within one network: another cannot be imported'
    elif models.index(from_model) >= models.index(to_model):
        return 'an output of a model that runs before'
    else:
        to_model.sources[fed] = (from_model.name, output)
    return ''


def _find(place: Any, models: list[Model], side: str) -> tuple[Model | None, str]:
    """:return: the model and the tensor that `model/name` names; None where there is none."""
    if isinstance(place, str):
        first, _, name = place.partition('/')
        for model in models:
            if model.name == first and name in getattr(model, side):
                return model, name
    return None, ''


def _names_of(pipeline: Section, key: str) -> Mapping[str, list[str]]:
    """:return: the names under pipeline.inputs or outputs, by model."""
    value = pipeline.plain(key)
    if isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in value.values()
    ):
        return value
    pipeline.problem(f'found {format_value(value)}, expected {{MODEL: [NAME, ...]}}', key)
    return {}


def _check_inputs(pipeline: Section, models: list[Model]) -> None:
    given = {name: sorted(names) for name, names in _names_of(pipeline, 'inputs').items() if names}
    free = {each.name: sorted(tensor.name for tensor in each.free) for each in models}
    wanted = {name: names for name, names in free.items() if names}
    if given and given != wanted:
        pipeline.problem(
            f'found {format_value(given)}, expected the inputs that nothing feeds: {wanted}',
            'inputs',
        )


def read_outputs(
    contract: ImportedContract, pipeline: Section, models: list[Model]
) -> list[BundleTensor]:
    """Return the outputs of the last model that leave the pipeline."""
    by_name = {each.name: each for each in models}
    used = []
    for name, names in _names_of(pipeline, 'outputs').items():
        known = by_name[name].outputs if name in by_name else {}
        if unknown := [each for each in names if each not in known]:
            pipeline.problem(
                f'found {", ".join(unknown)}, expected outputs of {name}: {", ".join(known)}',
                'outputs',
            )
        if name == models[-1].name:
            used += [known[each] for each in names if each in known]
        elif names:
            contract.assume(f'outputs of {name} that are not used: {", ".join(names)}')
    return used
