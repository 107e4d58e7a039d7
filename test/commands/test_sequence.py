"""Command sequences: values over time, blended in and out, within the ranges of the policy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.commands.sequence import KINDS
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Playback
from kinfer_ros.commands.sequence import Track
from kinfer_ros.commands.sequence import find_sequence
from kinfer_ros.commands.sequence import load_folder
from kinfer_ros.commands.sequence import load_sequence
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.metadata import default_command_names

CONTENT = {
    'name': 'nod',
    'interpolation': {'xvel': 'hold', 'basepitch': 'smooth'},
    'blend': 0.5,
    'keyframes': [
        {'time': 1.0, 'xvel': 0.2, 'basepitch': 0.0, 'baseroll': 0.1},
        {'time': 2.0, 'basepitch': 1.0},
        {'time': 3.0, 'xvel': -0.2},
        {'time': 5.0, 'baseroll': 0.5},
    ],
}
RANGES = {'xvel': (-0.1, 0.5), 'basepitch': None, 'baseroll': (0.2, 0.4), 'yvel': None}


def write(folder: Path, content: object = CONTENT, name: str = 'nod.yaml') -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_each_entry_goes_its_way(tmp_path):
    """Hold, smooth and linear between the keyframes that name an entry; level outside."""
    sequence = load_sequence(write(tmp_path))
    assert (sequence.name, sequence.seconds, sequence.blend) == ('nod', 5.0, 0.5)
    tracks = sequence.tracks
    times = (0.0, 1.0, 1.25, 2.0, 2.9, 3.0, 4.0, 9.0)
    assert [tracks['xvel'].at(t) for t in times] == [0.2, 0.2, 0.2, 0.2, 0.2, -0.2, -0.2, -0.2]
    found = [tracks['basepitch'].at(t) for t in (0.0, 1.25, 1.5, 1.75, 2.0, 4.0)]
    assert found == pytest.approx([0.0, 0.15625, 0.5, 0.84375, 1.0, 1.0])
    found = [tracks['baseroll'].at(t) for t in (1.0, 2.0, 3.0, 5.0)]
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.5])


def test_playback_blends_in_and_out_within_the_ranges(tmp_path):
    """From the present command, to neutral; neutral is the nearest to 0 in the range."""
    playback = Playback(load_sequence(write(tmp_path)), RANGES, {'xvel': 0.4, 'yvel': 0.3})
    assert set(playback.entries) == {'xvel', 'basepitch', 'baseroll'}
    assert playback.at(0.0) == {'xvel': 0.4, 'basepitch': 0.0, 'baseroll': 0.2}
    assert playback.at(0.25) == pytest.approx({'xvel': 0.3, 'basepitch': 0.0, 'baseroll': 0.2})
    assert playback.at(3.0) == pytest.approx({'xvel': -0.1, 'basepitch': 1.0, 'baseroll': 0.3})
    assert playback.at(5.25) == pytest.approx({'xvel': -0.05, 'basepitch': 0.5, 'baseroll': 0.3})
    assert playback.at(5.5) is None
    assert playback.at(99.0) is None


def test_a_stop_blends_out_from_where_it_is(tmp_path):
    """As any command ends; a second stop changes nothing."""
    playback = Playback(load_sequence(write(tmp_path)), RANGES, {})
    playback.stop(2.0)
    playback.stop(2.3)
    assert playback.at(2.0) == pytest.approx({'xvel': 0.2, 'basepitch': 1.0, 'baseroll': 0.2})
    assert playback.at(2.25) == pytest.approx({'xvel': 0.1, 'basepitch': 0.5, 'baseroll': 0.2})
    assert playback.at(2.5) is None


def test_a_policy_without_the_entries_cannot_play_it(tmp_path):
    """Half a gesture is another one; early pyfirmware's names are known."""
    sequence = load_sequence(write(tmp_path))
    text = 'sequence nod needs basepitch, baseroll; the command of the policy has xvel'
    assert sequence.refusal({'xvel': None}) == text
    with pytest.raises(ConfigError, match='needs basepitch, baseroll'):
        Playback(sequence, {'xvel': None}, {})
    grip = {'name': 'grip', 'blend': 0.0, 'keyframes': [{'time': 1.0, 'rwristgripper': 0.3}]}
    found = Playback(load_sequence(write(tmp_path, grip)), {'rgripper': None}, {})
    assert found.at(0.0) == {'rgripper': 0.3}


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'name': None}, 'name: found nothing'),
        ({'keyframe': []}, "unknown key 'keyframe' (did you mean 'keyframes'?)"),
        ({'keyframes': []}, 'expected a list of mappings'),
        ({'keyframes': [3]}, 'keyframes[0]: found 3, expected a mapping'),
        ({'keyframes': [{'time': 0.0}]}, 'found no entry of a command'),
        ({'keyframes': [{'xvel': 0.1}]}, "missing key 'time'"),
        ({'keyframes': [{'time': -1, 'xvel': 0}]}, 'expected a number from 0 to 600 (s)'),
        ({'keyframes': [{'time': 601, 'xvel': 0}]}, 'expected a number from 0 to 600 (s)'),
        (
            {'keyframes': [{'time': 1, 'xvel': 0}, {'time': 1, 'xvel': 0}]},
            'found 1, expected more',
        ),
        ({'keyframes': [{'time': 1, 'xvel': 'fast'}]}, 'expected a number from -1e+06'),
        ({'keyframes': [{'time': 1, 'xvel': float('nan')}]}, 'expected a number'),
        ({'keyframes': [{'time': n, 'xvel': 0} for n in range(1, 1002)]}, 'at most 1000'),
        ({'keyframes': [{'time': 1, **{f'x{n}': 0 for n in range(65)}}]}, 'found 65 entries'),
        ({'interpolation': 'cubic'}, 'expected one of linear, smooth, hold'),
        ({'interpolation': {'xvel': 'cubic'}}, 'expected one of linear, smooth, hold'),
        ({'interpolation': {'xvle': 'hold'}}, "unknown key 'xvle' (did you mean 'xvel'?)"),
        ({'blend': -0.1}, 'expected a number from 0 to 5 (s)'),
    ],
)
def test_a_file_is_read_strictly(tmp_path, change, words):
    """Each mistake with its line."""
    path = write(tmp_path, CONTENT | change)
    with pytest.raises(ConfigError) as error:
        load_sequence(path)
    assert words in str(error.value)
    assert f'command sequence {path}' in str(error.value)


def test_by_name_or_path(tmp_path):
    """A name is looked up in one folder; a path is itself."""
    path = write(tmp_path)
    assert find_sequence('nod', tmp_path) == find_sequence(str(path)) == load_sequence(path)
    with pytest.raises(ConfigError, match=r"no command sequence 'not' \(did you mean 'nod'\?\)"):
        find_sequence('not', tmp_path)
    write(tmp_path, name='other.yaml')
    with pytest.raises(ConfigError, match=r'other\.yaml: nod is the name of two files'):
        load_folder(tmp_path)
    with pytest.raises(ConfigError, match='is no folder'):
        load_folder(path)


def test_those_that_ship():
    """All begin and end in neutral, by their file's name, and suit K-Scale's 16 entries."""
    found = load_folder()
    assert {'wave', 'bow', 'there_and_back'} <= set(found)
    unified = dict.fromkeys(default_command_names(16))
    for sequence in found.values():
        assert sequence.description
        assert sequence.refusal(unified) == ''
        assert not any(track.at(sequence.seconds) for track in sequence.tracks.values())
    assert found['there_and_back'].refusal(dict.fromkeys(['xvel', 'yvel', 'yawrate'])) == ''


POINTS = st.dictionaries(st.floats(0, 100), st.floats(-5, 5), min_size=1, max_size=6)


@settings(deadline=None)
@given(
    points=POINTS, kind=st.sampled_from(KINDS), blend=st.floats(0, 5), stop=st.floats(0, 110),
    times=st.lists(st.floats(0, 120), max_size=20), present=st.floats(-0.3, 0.45),
)  # fmt: skip
def test_whatever_is_played_stays_in_the_range(points, kind, blend, stop, times, present):
    """At any time, and after a stop at any time; in the end it is over."""
    ordered = dict(sorted(points.items()))
    track = Track(tuple(ordered), tuple(ordered.values()), kind)
    sequence = CommandSequence('x', '', {'xvel': track}, max(ordered), blend)
    playback = Playback(sequence, {'xvel': (-0.3, 0.45)}, {'xvel': present})
    for time in sorted(times):
        if time >= stop:
            playback.stop(time)
        found = playback.at(time)
        assert found is None or -0.3 - 1e-9 <= found['xvel'] <= 0.45 + 1e-9
    assert playback.at(106.0) is None
