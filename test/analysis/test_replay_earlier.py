"""A run recorded by version 0.1.0, before the package was restructured, replays to the bit."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.recorded import other_model
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.policy.policy import load_model

RUN = Path(__file__).resolve().parents[1] / 'data' / 'runs' / 'tuned_swap'


def test_a_run_of_an_earlier_version_replays_to_the_bit(tmp_path):
    """Replay parses event texts: a changed text would break old logs."""
    run = RecordedRun.open(RUN)
    # The policy that took over was the shipped one under another hash.
    incoming = load_model(other_model(tmp_path))
    assert incoming.contract.sha256.startswith('b3d239afaa3e')
    found = Replay(run, load_model(MODEL), lambda name: incoming)
    for record in run.records():
        found.feed(record)
    assert found.outcome.identical, found.outcome.first
    assert found.outcome.tensors['target'].compared == 150
    assert found.outcome.tensors['output'].compared == 150
    assert len(found.outcome.changes) == 9


def test_the_run_has_what_a_replay_must_follow():
    """The recorded run has a swap, live settings and active limits."""
    lines = (RUN / 'steps.ndjson').read_bytes().splitlines()
    events = [event for line in lines for event in json.loads(line)['events']]
    for text in ('set target_slew', 'slew limit', 'torque limit', 'begins to take over'):
        assert any(text in event for event in events), text


def test_the_run_is_judged_as_ever(capsys):
    """Figures that later versions add to run.json are not in it."""
    assert main(['verdict', str(RUN)]) == 0
    said = capsys.readouterr().out
    assert 'distance     0.63 m (path 0.70 m, turned -0.02 rad)' in said
    assert 'problem' not in said
