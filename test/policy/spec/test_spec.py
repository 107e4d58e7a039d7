"""Policy specs are read strictly; all problems are reported with their lines."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies import flat_models
from helpers.policies.flat_policies import DATA
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.spec.flat_vector import FlatVector
from kinfer_ros.policy.spec.memory import Memory
from kinfer_ros.policy.spec.sources import Sources
from kinfer_ros.policy.spec.spec import load_spec

GOOD = """\
name: good
control_rate: 50.0
joints: [hip, knee]
default_pose: {hip: 0.1, knee: -0.2}
gains: {kp: 30.0, kd: [1.0, 2.0]}
commands: {xvel: [-1.0, 1.0], yawrate: null}
phase:
  frequency: 1.5
  start: [0.0, 3.14]
  when_still: {below: 0.05, do: set, value: 3.14}
observation:
  clip: [-100.0, 100.0]
  history: {length: 3, layout: per_term, order: newest_first, first: zero}
  terms:
    - {source: gyroscope, scale: 0.2, clip: [-5.0, 5.0], axes: [z]}
    - {source: joint_positions, relative: true, joints: [knee], scale: {knee: 2.0}, history: 1}
    - {source: command, entries: [xvel, 0.0, yawrate], scale: [2.0, 1.0, 0.25]}
    - {source: phase, encoding: [sin, cos], layout: interleaved}
action: {relative_to: default_pose, scale: [0.5, 0.25], joints: [knee, hip], clip: [-10.0, 10.0]}
"""


def read(tmp_path, text):
    path = tmp_path / 'spec.yaml'
    path.write_text(text)
    return load_spec(path)


def test_everything_comes_back_typed(tmp_path):
    """A vector can be one number, a list or a mapping."""
    spec = read(tmp_path, GOOD)
    assert spec.default_pose == (0.1, -0.2)
    assert spec.start_pose == spec.default_pose
    assert (spec.kp, spec.kd, spec.torque_limit) == ((30.0, 30.0), (1.0, 2.0), None)
    assert spec.commands == {'xvel': (-1.0, 1.0), 'yawrate': None}
    assert spec.phase.still == 'set'
    assert [term.size for term in spec.terms] == [1, 1, 3, 4]
    assert [spec.frames(term) for term in spec.terms] == [3, 1, 3, 3]
    assert spec.observation_size == 3 + 1 + 9 + 12
    assert spec.terms[1].scale == (2.0,)
    assert spec.action.joints == ('knee', 'hip')
    assert spec.action.clip == ((-10.0, -10.0), (10.0, 10.0))


@pytest.mark.parametrize(
    ('old', 'new', 'line', 'words'),
    [
        ('relative_to: default_pose, ', '', 19, "missing key 'relative_to'"),
        ('relative: true, ', '', 16, "missing key 'relative'"),
        ('name: good', 'nmae: good', 1, "unknown key 'nmae'"),
        ('scale: 0.2', 'scal: 0.2', 15, "unknown key 'scal' (did you mean 'scale'?)"),
        ('kd: [1.0, 2.0]', 'kd: [1.0]', 5, 'found 1 numbers, expected 2'),
        ('scale: [0.5, 0.25]', 'scale: [0.5]', 19, 'found 1 numbers, expected 2'),
        ('source: gyroscope', 'source: gyro', 15, "did you mean 'gyroscope'?"),
        ('joints: [knee], ', 'joints: [knees], ', 16, "did you mean 'knee'?"),
        ('entries: [xvel, 0.0', 'entries: [speed, 0.0', 17, 'expected names of commands (xvel'),
        ('layout: per_term', 'layout: by_term', 13, 'expected one of per_term, per_frame'),
        ('layout: per_term', 'layout: per_frame', 16, 'expected none: with the layout'),
        ('layout: interleaved', 'scale: 1.0', 18, "missing key 'layout'"),
        ('knee: -0.2}', 'nee: -0.2}', 4, "lacks knee, has unknown nee (did you mean 'knee'?)"),
        ('frequency: 1.5', 'frequency: {command: gait}', 8, 'one of the commands'),
        ('do: set, value: 3.14', 'do: set', 10, "missing key 'value'"),
        ('clip: [-5.0, 5.0]', 'clip: [5.0, -5.0]', 15, '[lowest, highest]'),
        ('scale: 0.2', 'scale: 1e-3', 15, 'found'),
        ('control_rate: 50.0', 'control_rate: 0', 2, 'from 0.1'),
        ('joints: [hip, knee]', 'joints: [hip, hip]', 3, 'more than once'),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_with_its_line(tmp_path, old, new, line, words):
    """A misspelt key is never ignored."""
    assert old in GOOD
    text = GOOD.replace(old, new)
    with pytest.raises(ModelError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert words in said
    lines = [int(found) for found in re.findall(r'line (\d+)', said)]
    assert line in lines, said


def test_all_problems_at_once(tmp_path):
    """One error lists all problems."""
    text = GOOD.replace('name:', 'nmae:').replace('control_rate', 'rate').replace('knee:', 'k:')
    with pytest.raises(ModelError, match='problems') as caught:
        read(tmp_path, text)
    for words in ('nmae', "missing key 'control_rate'", 'lacks knee'):
        assert words in str(caught.value)


@pytest.mark.parametrize('path', sorted((DATA / 'specs').glob('*.yaml')), ids=lambda p: p.stem)
def test_the_specs_of_the_tests_are_good(path):
    """Specs used by other tests load."""
    assert load_spec(path).observation_size in (48, 52, 154, 155, 480)


def test_a_list_where_a_mapping_should_be(tmp_path):
    """A wrong structure is an error, not a traceback."""
    for text in ('[1, 2]', 'joints: 3\nobservation: [1]\naction: x\n', 'phase: [1]\nstates: 4\n'):
        with pytest.raises(ModelError, match=r'spec\.yaml'):
            read(tmp_path, text)


def test_terms_that_are_no_mappings(tmp_path):
    """Each of them is named."""
    path = flat_models.write_spec(
        tmp_path / 'spec.yaml', flat_models.spec(['gyroscope', {'source': 'time'}])
    )
    with pytest.raises(ModelError, match=r'observation\.terms\[0\]'):
        load_spec(path)


ODD = st.sampled_from(
    [
        None, [], {}, 'x', 0, -1, True, 1e40, 10**400, float('inf'), 3.5, '', [None], [1.0, 'a'],
        [[2.0, 1.0]], [{}], {'a': 1}, {1: 2}, {'command': 'xvel'}, {'command': ['x']}, 'hip',
    ]
)  # fmt: skip
RICH = yaml.safe_load(GOOD) | {'states': {'pair': 'by_name', 'initial': {'h_in': 0.5}}}
RICH['observation']['terms'] += [
    {'source': 'gravity', 'unit': 'unit'},
    {'source': 'quaternion', 'order': 'xyzw'},
    {'source': 'euler', 'angles': ['yaw']},
    {'source': 'last_action', 'which': 'target', 'ago': 2},
    {'source': 'constant', 'values': 0.0, 'count': 3},
]


SEVERAL = copy.deepcopy(RICH) | {
    'networks': {
        'encoder': {
            'file': 'encoder.onnx',
            'observation': copy.deepcopy(RICH['observation']),
            'states': {'pair': 'by_position'},
        }
    },
    'observation': [
        copy.deepcopy(RICH['observation']) | {'input': 'obs'},
        {
            'input': 'count',
            'terms': [
                {'source': 'step', 'last': 5, 'then': 'hold'},
                {'source': 'first_step'},
                {'source': 'network', 'name': 'encoder', 'output': 'latent', 'count': 3},
            ],
        },
    ],
    'action': [
        {'joints': ['hip'], 'relative_to': 'zero', 'scale': 1.0, 'output': 'a',
         'filter': {'share': 0.5, 'start': 'first_target'}},
        {'joints': ['knee'], 'relative_to': 'last_target', 'scale': 1.0, 'output': 'b'},
    ],
}  # fmt: skip
SEVERAL['phase']['frequency'] = {'norm': [0.0, 1.0], 'hertz': [1.0, 2.0]}
CONTENTS = {'one': RICH, 'several': SEVERAL}


def places(value, path=()):
    """Paths of all values in plain data."""
    if not isinstance(value, dict | list):
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(entry, (*path, key))


PLACES = [(name, place) for name, content in CONTENTS.items() for place in places(content)]


def test_the_contents_to_break_are_good(tmp_path):
    """Or everything would be refused for another reason."""
    for name, content in CONTENTS.items():
        load_spec(flat_models.write_spec(tmp_path / f'{name}.yaml', content))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), ODD)
def test_no_spec_breaks_it(tmp_path_factory, where, odd):
    """Any content gives a spec that builds or an error, never a traceback."""
    name, place = where
    content = copy.deepcopy(CONTENTS[name])
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = odd
    path = flat_models.write_spec(tmp_path_factory.mktemp('odd') / 'spec.yaml', content)
    try:
        spec = load_spec(path)
    except ModelError as error:
        assert str(path) in str(error)
        return
    memory = Memory(spec)
    sources = Sources(spec, memory)
    for block, parts in zip(spec.blocks, memory.blocks, strict=True):
        FlatVector(spec, block, sources, parts, np.zeros(block.size, np.float32))
