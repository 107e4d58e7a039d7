"""The docs as `make docs` builds them: legible at every width, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.pages.boxes import problems
from helpers.pages.boxes import show_as
from helpers.pages.browser import BROWSER
from helpers.pages.browser import Page
from helpers.processes import REPOSITORY

BUILT = REPOSITORY / 'build' / 'docs'
PAGES = sorted(p.stem for p in (REPOSITORY / 'docs').iterdir() if p.suffix in ('.md', '.rst'))
SCROLLING = ('class="highlight"', 'class="table-wrapper')
"""Code and tables, which a reader scrolls by themselves."""

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open pages in'),
    pytest.mark.skipif(not BUILT.is_dir(), reason='no build/docs: `make docs` builds them'),
    pytest.mark.long,
]


@pytest.mark.parametrize('name', PAGES)
def test_no_text_is_clipped_or_overlaps(name: str, tmp_path: Path) -> None:
    """What a reader cannot read is not documented."""
    text = (BUILT / f'{name}.html').read_text()
    for each in SCROLLING:
        text = text.replace(each, each.replace('class="', 'class="scroll '))
    for asset in ('_static', '_images'):
        (tmp_path / asset).symlink_to(BUILT / asset)
    file = tmp_path / 'page.html'
    file.write_text(text.replace('<body', '<body data-plots="1"', 1))
    with Page(file, tmp_path, 1280, 900) as page:
        for width in (1280, 400):
            for scheme in ('light', 'dark'):
                show_as(page, width, scheme)
                assert problems(page, 'article') == [], (width, scheme)
