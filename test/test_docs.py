"""The docs: links resolve, examples load, tables match the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from helpers.doc_commands import PAGES
from helpers.doc_commands import anchors
from helpers.doc_commands import links
from helpers.processes import REPOSITORY
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.policy.spec.terms import SOURCES

DOCS = REPOSITORY / 'docs'
FOLDERS = (
    'benchmarks', 'config', 'docs', 'examples', 'kinfer_ros', 'launch', 'requirements', 'robots',
    'test', 'tools', 'training',
)  # fmt: skip
PATH = re.compile(rf'(?<![\w/.~$}}-])(?:{"|".join(FOLDERS)})/[\w./*-]*')
WRITTEN = {'training/runs/walk/'}
"""By a command of a page."""


def test_the_full_example_loads(tmp_path):
    """Every key of it exists, and every source has a row."""
    text = (DOCS / 'specs.md').read_text()
    blocks = re.findall(r'```yaml\n(.*?)```', text, re.DOTALL)
    path = tmp_path / 'spec.yaml'
    path.write_text(blocks[0])
    spec = load_spec(path)
    assert spec.observation_size == 5 * (3 + 3 + 3 + 3 + 3 + 3 + 3) + 4
    for source in SOURCES:
        assert f'| `{source}` |' in text


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_resolve(page: Path) -> None:
    """Links to files and headings; web links are not checked."""
    broken = []
    for link in links(page):
        if re.match(r'https?://', link):
            continue
        file, _, anchor = link.partition('#')
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_paths_exist_from_the_root(page: Path) -> None:
    """Whoever types a path of a page, in the folder where `make walk` was run, has that file."""
    named = {path.rstrip('.') for path in PATH.findall(page.read_text())} - WRITTEN
    assert sorted(path for path in named if not any(REPOSITORY.glob(path))) == []


def test_every_page_is_in_the_contents() -> None:
    """Nobody finds a page outside the table of contents."""
    index = (DOCS / 'index.md').read_text()
    listed = re.findall(r'^(\w+)$', ''.join(re.findall(r'```{toctree}(.*?)```', index, re.DOTALL)),
                        re.MULTILINE)  # fmt: skip
    assert sorted(listed) == sorted({p.stem for p in DOCS.glob('*.[mr][ds]*')} - {'index'})


@pytest.mark.ros
def test_the_parameters_page_and_policy_yaml_are_current() -> None:
    """Run `python tools/parameters_page.py` after a change of parameters."""
    path = REPOSITORY / 'tools' / 'parameters_page.py'
    spec = importlib.util.spec_from_file_location('parameters_page', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / 'parameters.md').read_text() == module.page()
    assert (REPOSITORY / 'config' / 'policy.yaml').read_text() == module.policy_yaml()


def test_design_names_existing_files() -> None:
    """The table of docs/design.md is the map of the code."""
    package = REPOSITORY / 'kinfer_ros'
    named = set(re.findall(r'`((?:\w+/)+\w+\.py)`', (DOCS / 'design.md').read_text()))
    assert len(named) > 20
    assert sorted(name for name in named if not (package / name).is_file()) == []


def test_the_moving_picture_is_small_and_moves() -> None:
    """The first thing that anybody sees: `python tools/moving_picture.py` makes it."""
    picture = (DOCS / 'images' / 'biped.webp').read_bytes()
    assert picture[:4] == b'RIFF'
    assert picture.count(b'ANMF') > 50
    assert len(picture) < 1_500_000
