"""A run in which ~/load_model has taken edited policies of a set replays, or says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fastjsonschema
import pytest

from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.model_swap import ModelSwap
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run import record
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

SET = """enter: walk
policies:
  walk: {{model: {folder}/walk_{walk}.kinfer}}
  soft: {{model: {folder}/soft_{soft}.kinfer, kp_factor: 0.9}}
transitions:
  - {{from: walk, to: soft}}
  - {{from: soft, to: walk, blend_s: 0.1}}
"""


def write_model(path: Path, kp: float) -> None:
    """The policy that ships, trained with other gains, as it were."""
    archive = read_archive(MODEL)
    contract = load_model(MODEL).contract
    meta = dict(contract.metadata) | {'joint_kp': [kp * each for each in contract.joint_kp]}
    write_archive(path, archive.init_fn, archive.step_fn, meta)


class Edited:
    """A set whose files are edited, and loaded again, while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / 'set.yaml'
        for name, kp in (('walk_0', 1.0), ('soft_0', 1.0), ('walk_1', 0.97), ('soft_1', 0.95)):
            write_model(folder / f'{name}.kinfer', kp)
        self.answers: list[str] = []
        self._swap: ModelSwap | None = None
        self.write(0, 0)

    def write(self, walk: int, soft: int) -> None:
        self.path.write_text(SET.format(folder=self.folder, walk=walk, soft=soft))

    def begin(self, setup: PolicySetup, session: RunSession) -> None:
        self.setup, self.session = setup, session

    def each_tick(self, step: int, simulation: Simulation) -> None:
        """walk, edit of both, soft as edited, edit of soft back, walk as edited, soft again."""
        if self._swap is not None:
            self._swap.poll()
            self._swap = None if self._swap.done else self._swap
        if simulation.controller.mode is not Mode.RUN:
            return
        tick = round(simulation.controller.run_ns / 20e6)
        ask = {60: 'soft', 100: 'walk', 130: 'soft'}
        edits = {20: (1, 1), 80: (1, 0)}
        if tick in ask:
            policies = simulation.controller.policies
            assert policies.request(ask[tick], Mode.RUN) == ''
        if tick in edits:
            self.write(*edits[tick])
            self._load()

    def _load(self) -> None:
        self._swap = ModelSwap(
            lambda: load_set(self.path), self.setup, self.session, self._taken_over,
            self.answers.append,
        )  # fmt: skip
        self._swap._thread.join(20.0)

    def _taken_over(self, setup: PolicySetup) -> None:
        self.setup = setup


@pytest.fixture(scope='module')
def run(tmp_path_factory) -> Path:
    """Recorded: a run of 3.2 s with two loads of two and one policies."""
    folder = tmp_path_factory.mktemp('edited')
    edited = Edited(folder)
    path = record_run(
        folder, 3.2, edited.each_tick, begin=edited.begin, model='', policies=str(edited.path),
        blend_time=0.2, torque_band=1.0, carry_every=25,
    )  # fmt: skip
    assert edited.answers == ['', '']
    return path


def replayed(capsys, path: Path) -> tuple[int, dict]:
    code = main(['replay', str(path), '--json'])
    return code, json.loads(capsys.readouterr().out)


def test_every_load_is_in_the_run(run):
    """In run.json before it runs, and as events."""
    swaps = json.loads((run / 'run.json').read_text())['swaps']
    assert [(swap['policy'], Path(swap['model']).name) for swap in swaps] == [
        ('walk', 'walk_1.kinfer'), ('soft', 'soft_1.kinfer'), ('soft', 'soft_0.kinfer')
    ]  # fmt: skip
    assert all(swap['taken_over'] for swap in swaps)
    events = [event for step in read_steps(run) for event in step['events'] if 'load' in event]
    assert events == [
        'swap: policy walk, load 1 begins to take over',
        'swap: policy walk, load 1 has taken over',
        'swap: policy soft, load 2 is in place',
        'swap: policy soft, load 3 begins to take over',
        'swap: policy soft, load 3 has taken over',
    ]


def test_its_records_keep_to_the_schema(run):
    """With the policy and its version in `resume`."""
    schema = json.loads((Path(record.__file__).parent / 'step.schema.json').read_text())
    validate = fastjsonschema.compile(schema)
    for line in (run / 'steps.ndjson').read_bytes().splitlines():
        validate(json.loads(line))


def test_it_replays_to_the_bit(run, capsys):
    """Targets too, which depend on the gains of each version through the torque band."""
    code, found = replayed(capsys, run)
    assert (code, found['verdict']) == (0, 'identical'), found
    assert found['replayed'] == found['run_records'] == 160
    assert found['tensors']['target']['compared'] == 160
    assert sum('begins to take over' in what for _, what in found['changes']) == 5


def test_the_gains_of_another_version_would_be_seen(run, tmp_path, capsys):
    """The comparison above can fail."""
    copy = Path(shutil.copytree(run, tmp_path / 'copy'))
    facts = json.loads((copy / 'run.json').read_text())
    kp = facts['swaps'][0]['gains']['kp']
    facts['swaps'][0]['gains']['kp'] = [3.0 * each for each in kp]
    (copy / 'run.json').write_text(json.dumps(facts))
    code, found = replayed(capsys, copy)
    assert (code, found['verdict']) == (1, 'differs')


def test_after_a_gap_it_goes_on_with_the_version_that_ran(run, tmp_path, capsys):
    """The records of the first load are lost; the next one with a carry says which it was."""
    copy = Path(shutil.copytree(run, tmp_path / 'copy'))
    lines = (copy / 'steps.ndjson').read_bytes().splitlines(keepends=True)
    first = next(at for at, line in enumerate(lines) if b'load 1 begins' in line)
    (copy / 'steps.ndjson').write_bytes(b''.join(lines[:first] + lines[first + 15 :]))
    code, found = replayed(capsys, copy)
    assert found['missing']
    assert (code, found['verdict']) == (0, 'identical'), found


def test_a_version_that_has_changed_since_is_named(run, tmp_path, capsys):
    """In words, as of a policy alone."""
    folder = run.parent.parent
    kept = (folder / 'soft_1.kinfer').read_bytes()
    try:
        write_model(folder / 'soft_1.kinfer', 0.9)
        code = main(['replay', str(run)])
        out = capsys.readouterr()
    finally:
        (folder / 'soft_1.kinfer').write_bytes(kept)
    assert code != 0
    assert 'soft_1.kinfer: the model has changed since this run' in out.out + out.err


def test_a_damaged_list_of_loads_is_one_error(run, tmp_path, capsys):
    """No traceback."""
    copy = Path(shutil.copytree(run, tmp_path / 'copy'))
    facts = json.loads((copy / 'run.json').read_text())
    for swaps in ([], [None] * 3, [{'policy': 'gone'}] * 3, [{'policy': 'walk'}] * 3):
        (copy / 'run.json').write_text(json.dumps(facts | {'swaps': swaps}))
        code = main(['replay', str(copy)])
        out = capsys.readouterr()
        assert code != 0
        assert 'Traceback' not in out.err
