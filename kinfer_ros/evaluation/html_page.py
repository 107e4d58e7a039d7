"""The frame of an evaluation's pages: style, one small script, tables, commands to copy.

A page is one file that asks for nothing from elsewhere; its script may run by its hash alone.
"""

import base64
import hashlib
import html
from collections.abc import Iterable
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1a1a1a; --dim: #5f5f5f; --line: #d5d5d5;
  --good: #1a7f37; --bad: #c0262d; --mark: #1f6fc4; --soft: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --bg: #15171a; --fg: #e6e6e6; --dim: #a3a3a3;
  --line: #383c42; --good: #4cc26a; --bad: #ff6b6b; --mark: #6aaeff; --soft: #1f2328; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 0 12px 40px; background: var(--bg);
  color: var(--fg); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; margin: 16px 0 4px; }
h2 { font-size: 1.1rem; margin: 28px 0 8px; border-bottom: 1px solid var(--line); }
h3 { font-size: .92rem; margin: 12px 0 4px; font-weight: 600; }
p { margin: 4px 0; } p, li, summary { overflow-wrap: anywhere; }
#verdict { font-weight: 600; }
a { color: var(--mark); }
.good { color: var(--good); } .bad { color: var(--bad); } .dim { color: var(--dim); }
footer, .dim { font-size: .84rem; } footer { color: var(--dim); margin-top: 28px; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px 3px 0; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child, td.left { text-align: left; }
th.group { text-align: center; border-bottom: 1px solid var(--line); }
tr { border-bottom: 1px solid var(--line); }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.facts td:first-child { min-width: 7em; }
.grid th + th, .grid td + td { text-align: center; padding: 4px 10px; min-width: 6.5em; }
.scroll { overflow-x: auto; }
.hint { display: none; color: var(--dim); font-size: .78rem; }
.more + .hint { display: block; }
.again { display: flex; gap: 8px; align-items: flex-start; margin: 4px 0; }
.again code { flex: 1; min-width: 0; overflow-wrap: anywhere; user-select: all; padding: 4px 8px;
  background: var(--soft); border-radius: 4px; font-size: .8rem; }
button { font: inherit; font-size: .84rem; color: inherit; background: none; cursor: pointer;
  border: 1px solid var(--line); border-radius: 4px; padding: 2px 10px; min-height: 30px;
  min-width: 5.2em; }
button:focus-visible, .scroll:focus-visible { outline: 2px solid var(--mark); }
.worst li { margin: 0 0 10px; } .worst { padding-left: 1.6em; }
.plots { display: grid; gap: 12px 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.plots > div { min-width: 0; }
.strip { display: grid; grid-template-columns: minmax(0, 7em) minmax(0, 1fr); gap: 0 8px;
  align-items: center; font-size: .8rem; }
.strip > span { overflow-wrap: anywhere; line-height: 1.15; }
svg { width: 100%; height: 24px; display: block; overflow: visible; }
svg line { stroke: var(--line); } svg text { fill: var(--dim); font-size: 11px; }
svg circle { fill: var(--mark); fill-opacity: .6; } svg path { stroke: var(--bad);
  stroke-width: 2; fill: none; } svg .span { stroke: var(--mark); stroke-width: 3; }
.interval { width: 150px; } .interval .good { fill: var(--good); } .interval .bad {
  fill: var(--bad); } .interval .span.good { stroke: var(--good); } .interval .span.bad {
  stroke: var(--bad); }
summary { cursor: pointer; margin: 20px 0 6px; }
@media print { button { display: none; } .scroll { overflow: visible; }
  table { font-size: .62rem; } th, td { padding-right: 5px; } }
"""

SCRIPT = """
for (const button of document.querySelectorAll('.again button')) {
  const code = button.previousElementSibling;
  button.addEventListener('click', async () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    let copied = true;
    try { await navigator.clipboard.writeText(code.textContent); }
    catch { copied = document.execCommand('copy'); }
    button.textContent = copied ? 'copied' : 'selected';
    setTimeout(() => { button.textContent = 'copy'; }, 2000);
  });
}
const measure = () => {
  for (const each of document.querySelectorAll('.scroll'))
    each.classList.toggle('more', each.scrollWidth > each.clientWidth + 1);
};
addEventListener('resize', measure);
for (const each of document.querySelectorAll('details')) each.addEventListener('toggle', measure);
measure();
"""


def make_html(title: str, body: Sequence[str]) -> bytes:
    """
    Return a page.

    :param body: its parts, HTML already.
    """
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n'
        '<body data-plots="1">\n' + '\n'.join(body) + f'\n<script>{SCRIPT}</script>\n'
        '</body>\n</html>\n'
    )
    return page.encode()


def text(value: object) -> str:
    """Return text as HTML."""
    return html.escape(str(value))


def section(title: str, content: str) -> str:
    """Return a section of a page."""
    return f'<h2>{text(title)}</h2>\n<section>{content}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = '') -> str:
    """
    Return a table that scrolls sideways where it is wider than the screen, and then says so.

    :param head: text.
    :param rows: cells that are HTML already.
    """
    return framed_table(_row('th', map(text, head)), rows, kind)


def framed_table(head: str, rows: Iterable[Sequence[str]], kind: str = '') -> str:
    """:param head: its rows, HTML already."""
    body = ''.join(_row('td', row) for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}">{head}{body}</table></div>'
        '<p class="hint">the table scrolls sideways &rarr;</p>'
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return '<tr>' + ''.join(f'<{tag}>{cell}</{tag}>' for cell in cells) + '</tr>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values, which wraps in place of scrolling."""
    body = ''.join(_row('td', (text(name), text(value))) for name, value in rows)
    return f'<table class="facts">{body}</table>'


def again(command: str) -> str:
    """Return a command with a button that copies it."""
    return (
        f'<div class="again"><code>{text(command)}</code><button type="button">copy</button></div>'
    )
