"""The report in a browser: legible at every width, on paper too, and its charts work together."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.pages.boxes import problems
from helpers.pages.browser import BROWSER
from helpers.pages.browser import Page
from helpers.pages.chart_words import chart_problems
from helpers.recorded import record_run
from kinfer_ros.__main__ import main

pytestmark = pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open the page in')

RANGE = "document.getElementById('range').textContent"


def push(step: int, simulation) -> None:
    if step == 100:
        simulation.robot.push([0.0, 1.5, 0.0])
        simulation.controller.stats.say('</script><script>throw 1</script> & "a cable"')


@pytest.fixture(scope='module')
def pages(tmp_path_factory) -> dict[str, Path]:
    """Reports of a good run, of a fall, and of both."""
    pytest.importorskip('bokeh')
    folder = tmp_path_factory.mktemp('pages')
    good = record_run(folder / 'a', 3.0)
    fall = record_run(folder / 'b', 6.0, push)
    found = {}
    for name, runs in (('good', [good]), ('fall', [fall]), ('two', [good, fall])):
        found[name] = folder / f'{name}.html'
        assert main(['report', *map(str, runs), '--out', str(found[name])]) == 0
    return found


@pytest.mark.parametrize('dark', [False, True])
@pytest.mark.parametrize('width', [1280, 400])
@pytest.mark.parametrize('name', ['good', 'fall', 'two'])
def test_no_text_is_clipped_or_overlaps(pages, tmp_path, name, width, dark):
    """A label that cannot be read is no label; and nothing goes wrong in a script."""
    with Page(pages[name], tmp_path, width, 1400, dark=dark) as page:
        page.wait_for('document.body.dataset.plots > 15')
        assert problems(page) == []
        assert chart_problems(page) == []
        assert page.value('document.documentElement.scrollWidth') <= width
        assert page.value('document.body.dataset.errors') == '0'
        assert page.errors == []
        assert [each for each in page.requests if not each.startswith('file:')] == []


@pytest.mark.parametrize('name', ['good', 'fall', 'two'])
def test_it_prints_whole(pages, tmp_path, name):
    """Each chart becomes a picture that is as wide as its column."""
    with Page(pages[name], tmp_path, 1280, 1400) as page:
        charts = int(page.value('document.body.dataset.plots'))
        page.value(
            "window.widths = []; window.addEventListener('beforeprint', () => document"
            ".querySelectorAll('.picture').forEach((each) => window.widths.push(each.width)))"
        )
        assert page.pdf().startswith(b'%PDF')
        widths = page.value('window.widths')
        assert len(widths) == charts
        assert min(widths) > 100
        assert page.value("document.querySelectorAll('.picture').length") == 0
        assert page.errors == []


def test_the_charts_work_together(pages, tmp_path):
    """Keys, hovering, dragging and toggling act on all plots."""
    with Page(pages['two'], tmp_path, 1280, 1400) as page:
        whole = page.value(RANGE)
        page.press('+')
        page.wait_for(f"{RANGE} !== '{whole}'")
        page.press('0')
        page.wait_for(f"{RANGE}.startsWith('0.00') || {RANGE}.startsWith('-')")
        page.value("document.getElementById('run').click()")
        chart = "document.querySelector('.plot .chart')"
        page.value(f"{chart}.scrollIntoView({{block: 'center'}})")
        left, top, width, height = page.value(
            f'(() => {{ const b = {chart}.getBoundingClientRect();'
            ' return [b.left, b.top, b.width, b.height]; })()'
        )
        x, y = left + 0.4 * width, top + 0.4 * height
        page.mouse('mouseMoved', x, y)
        page.mouse('mouseMoved', x + 1, y)
        page.wait_for("document.querySelectorAll('.legend b:not(:empty)').length > 20")
        before = page.value(RANGE)
        for kind, to in (('mousePressed', x), ('mouseMoved', x + 50), ('mouseReleased', x + 50)):
            page.mouse(kind, to, y)
        page.wait_for(f"{RANGE} !== '{before}'")
        assert page.value('location.hash').startswith('#t=')
        button = "document.querySelector('.legend button')"
        page.value(f'{button}.click()')
        assert page.value(f"{button}.getAttribute('aria-pressed')") == 'false'
        assert page.errors == []


def test_it_opens_before_the_fault(pages, tmp_path):
    """The first look is at the last 5 s, with scales that the robot's collapse does not rule."""
    with Page(pages['fall'], tmp_path) as page:
        start, end = map(float, page.value(RANGE).removesuffix(' s').split(' to '))
        fault = page.value(
            "+[...document.querySelectorAll('.events .bad')][0].previousElementSibling"
            ".textContent.replace(' s', '')"
        )
        assert start == pytest.approx(max(fault - 5.0, 0.0), abs=0.02)
        assert end == pytest.approx(fault + 0.5, abs=0.02)
        assert 'throw 1' in page.value("document.querySelector('.events').textContent")
        assert page.value("document.querySelector('.card').textContent").startswith(
            'The robot fell'
        )
