"""Long tables of the docs on a phone: rows become blocks, so that nothing scrolls sideways."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.pages.boxes import problems
from helpers.pages.boxes import show_as
from helpers.pages.browser import BROWSER
from helpers.pages.browser import Page
from helpers.processes import REPOSITORY

pytestmark = pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open pages in')

DOCS = REPOSITORY / 'docs'
TABLES = {'parameters': ('parameters.md', 'default: '), 'guards': ('modes.md', 'verdict: ')}


@pytest.mark.parametrize('section', TABLES)
def test_a_long_table_is_read_without_scrolling(section: str, tmp_path: Path) -> None:
    """At 400 px the text wraps, each cell says what it is, and an empty one takes no line."""
    markdown = pytest.importorskip('markdown_it')
    page, label = TABLES[section]
    text = (DOCS / page).read_text()
    if section == 'guards':
        text = text.split('\n## Guards\n')[1].split('\n## ')[0]
    body = markdown.MarkdownIt().enable('table').render(text)
    body = body.replace('<table>', '<div class="table-wrapper"><table>')
    body = body.replace('</table>', '</table></div>').replace('<td>', '<td><p>')
    body = body.replace('</td>', '</p></td>')
    file = tmp_path / 'page.html'
    file.write_text(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        f'<style>.table-wrapper {{ overflow-x: auto }}{(DOCS / "_static/style.css").read_text()}'
        f'</style><body data-plots="1"><section id="{section}">{body}</section></body>'
    )
    with Page(file, tmp_path, 400, 900) as opened:
        show_as(opened, 400, 'light')
        assert problems(opened) == []
        assert opened.value("document.querySelectorAll('td').length") > 40
        shown = "getComputedStyle(document.querySelector('td:nth-child(2) p'), '::before').content"
        assert opened.value(shown) == f'"{label}"'
        empty = (
            "[...document.querySelectorAll('td')].filter(e => !e.textContent && "
            "getComputedStyle(e).display !== 'none').length"
        )
        assert opened.value(empty) == 0
        show_as(opened, 1280, 'light')
        display = "getComputedStyle(document.querySelector('td')).display"
        assert opened.value(display) == 'table-cell'
