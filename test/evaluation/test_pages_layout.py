"""The pages in a browser, at a desk and on a phone, light and dark: all can be read."""

from __future__ import annotations

import pytest
from test_results import record

from helpers.pages.boxes import contrast
from helpers.pages.boxes import problems
from helpers.pages.boxes import show_as
from helpers.pages.browser import BROWSER
from helpers.pages.browser import Page
from kinfer_ros.evaluation.comparison import compare
from kinfer_ros.evaluation.comparison_page import make_comparison_page
from kinfer_ros.evaluation.page import make_page

pytestmark = pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open pages in')

NAMES = ('calm', 'pushes', 'a_condition_with_a_name_of_nearly_sixty_characters_in_all')
SETTINGS = {
    'model': f'/models/{"walk" * 12}.kinfer', 'model_sha256': 'ab' * 32, 'robot': 'biped',
    'seconds': 4.0, 'seeds': 6, 'versions': {'mujoco': '3'}, 'machine': 'x86_64',
    'commands': {'forward': {'xvel': 0.3}},
    'conditions': {'pushes': {'friction': [1.0, 1.0], 'push_speed': 0.5, 'push_every': 3.0}},
}  # fmt: skip


def results(fallen: int, factor: float) -> list[dict]:
    """Runs, some of which fell, one so early that it has no number."""
    found = []
    for number, name in enumerate(NAMES):
        for seed in range(6):
            error = {'vx': factor * 0.031 * seed, 'vy': 0.0012 * seed, 'wz': 0.4 + 0.1 * number}
            fell = seed < fallen
            found.append(
                record(
                    f'forward/{name}/{seed}',
                    survived=not fell,
                    reason='fell: the base is tilted by 58 deg, at most 57 deg are accepted'
                    * fell,
                    run_s=0.4 if fell else 4.0,
                    velocity_error=dict.fromkeys(error) if fell and seed == 0 else error,
                    power_w=1234.5 * factor + 3.0 * seed,
                    energy_j_per_m=321.0,
                )
            )
    return found


@pytest.fixture(scope='module', params=['evaluation', 'comparison'])
def page(request, tmp_path_factory):
    """An open page; its browser serves all tests of it."""
    folder = tmp_path_factory.mktemp(request.param)
    a = results(2, 1.0)
    if request.param == 'evaluation':
        again = f'python -m kinfer_ros eval /models/{"walk" * 12}.kinfer --robot biped --only '
        replay = {each['job']: again + each['job'] for each in a}
        content = make_page(SETTINGS, a, replay, len(a) + 1)
    else:
        b = results(1, 1.5)
        rows = compare({r['job']: r for r in a}, {r['job']: r for r in b})
        command = f'python -m kinfer_ros eval --compare {"a" * 60} {"b" * 60}'
        content = make_comparison_page((SETTINGS, SETTINGS), rows, command)
    file = folder / 'page.html'
    file.write_bytes(content)
    with Page(file, folder, 1280, 900) as opened:
        yield opened


@pytest.mark.parametrize('width', [1280, 400])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_nothing_is_clipped_or_overlaps(page, width, scheme):
    """Texts stand within the page and apart; a table that hides some says that it scrolls."""
    show_as(page, width, scheme)
    page.value("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.value('measure()')
    assert problems(page) == []
    wide = page.value(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        '.map(e => getComputedStyle(e.nextElementSibling).display)'
    )
    assert set(wide) <= {'block'}, 'a table that scrolls says so'
    assert width == 1280 or wide, 'on a phone, some do'
    hidden = page.value(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth <= e.clientWidth)"
        '.map(e => getComputedStyle(e.nextElementSibling).display)'
    )
    assert set(hidden) <= {'none'}, 'one that does not, does not'
    assert page.said == []
    assert [each for each in page.requests if not each.startswith('file:')] == []


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_colours_can_be_read(page, scheme):
    """4.5 to 1, as WCAG asks of text."""
    show_as(page, 1280, scheme)
    for selector in ('body', '.dim', '.bad', '.good'):
        if page.value(f"document.querySelector('{selector}') !== null"):
            assert contrast(page, selector) > 4.5, selector


def test_dots_stay_within_their_plot(page):
    """At 400 px as well, and their size does not shrink with the screen."""
    show_as(page, 400, 'light')
    sizes = page.value(
        "[...document.querySelectorAll('svg circle, svg path')].map(e => {"
        ' const box = e.getBoundingClientRect();'
        ' return [box.width, box.left, box.right]; })'
    )
    assert sizes
    for width, left, right in sizes:
        assert width >= 8.0
        assert left >= 0.0
        assert right <= 400.0 or page.value("document.querySelector('.interval') !== null")


def test_a_command_is_copied(page):
    """A click takes the whole command, and says so."""
    show_as(page, 1280, 'light')
    page.send('Browser.grantPermissions', permissions=['clipboardReadWrite'])
    page.value('navigator.clipboard.writeText = async text => { window.taken = text; }')
    page.value("document.querySelector('.again button').click()")
    page.wait_for("document.querySelector('.again button').textContent === 'copied'")
    assert page.value('window.taken') == page.value(
        "document.querySelector('.again code').textContent"
    )
