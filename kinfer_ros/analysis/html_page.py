"""The frame of all HTML pages: one file that opens offline and asks for nothing from elsewhere."""

import html
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).with_name('page')
"""Styles, and the script of a report."""


def text(value: object) -> str:
    """Return text as HTML."""
    return html.escape(str(value))


def code(command: str) -> str:
    """Return a command as HTML: a line never breaks behind the hyphens of an option."""
    words = (
        f'<span class="option">{text(word)}</span>' if word.startswith('-') else text(word)
        for word in command.split(' ')
    )
    return f'<code>{" ".join(words)}</code>'


def row(tag: str, cells: Iterable[str]) -> str:
    """
    Return a row of a table.

    :param tag: of its cells, td or th.
    :param cells: HTML already.
    """
    return '<tr>' + ''.join(f'<{tag}>{cell}</{tag}>' for cell in cells) + '</tr>'


def scrolling_table(head: str, rows: Iterable[Iterable[str]], kind: str = '') -> str:
    """
    Return a table that scrolls sideways where it is wider than the screen.

    :param head: its rows, HTML already; the cells of `rows` as well.
    :param kind: class of the table.
    """
    body = ''.join(row('td', each) for each in rows)
    return f'<div class="scroll" tabindex="0"><table class="{kind}">{head}{body}</table></div>'


def make_html(
    title: str, body: str, *, style: str, scripts: str, allowed: str, marks: str = ''
) -> bytes:
    """
    Return a page.

    :param body: HTML already, and `scripts` the elements behind it.
    :param style: CSS beside that of all pages.
    :param allowed: what its content security policy allows beside styles.
    :param marks: attributes of the body.
    """
    policy = f"default-src 'none'; style-src 'unsafe-inline'; {allowed}"
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<title>{text(title)}</title>\n'
        f'<style>{(PAGE / "page.css").read_text()}{style}</style>\n</head>\n'
        f'<body{marks}>\n{body}\n{scripts}\n</body>\n</html>\n'
    )
    return page.encode()
