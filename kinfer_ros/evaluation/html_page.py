"""The parts of an evaluation's pages: style, one small script, tables, commands to copy.

The script may run by its hash alone.
"""

import base64
import hashlib
from collections.abc import Iterable
from collections.abc import Sequence

from kinfer_ros.analysis.html_page import code
from kinfer_ros.analysis.html_page import make_html
from kinfer_ros.analysis.html_page import row
from kinfer_ros.analysis.html_page import scrolling_table
from kinfer_ros.analysis.html_page import text

STYLE = """
p { margin: 4px 0; } p, li, summary { overflow-wrap: anywhere; }
#verdict { font-weight: 600; }
footer { margin-top: 28px; }
th, td { text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.left { text-align: left; }
th.group { text-align: center; border-bottom: 1px solid var(--line); }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.facts td:first-child { min-width: 7em; }
.grid th + th, .grid td + td { text-align: center; padding: 4px 10px; min-width: 6.5em; }
.hint { display: none; color: var(--dim); font-size: .78rem; }
.more + .hint { display: block; }
.again { display: flex; gap: 8px; align-items: flex-start; margin: 4px 0; }
.again code { flex: 1; min-width: 0; overflow-wrap: anywhere; user-select: all; padding: 4px 8px;
  background: var(--soft); border-radius: 4px; font-size: .8rem; }
button { font-size: .84rem; min-width: 5.2em; }
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
@media print { button { display: none; }
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


def evaluation_html(title: str, body: Sequence[str]) -> bytes:
    """
    Return a page.

    :param body: its parts, HTML already.
    """
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return make_html(
        title,
        '\n'.join(body),
        style=STYLE,
        scripts=f'<script>{SCRIPT}</script>',
        allowed=f"script-src 'sha256-{digest}'",
        marks=' data-plots="1"',
    )


def section(title: str, content: str) -> str:
    """Return a section of a page."""
    return f'<h2>{text(title)}</h2>\n<section>{content}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = '') -> str:
    """
    Return a table that scrolls sideways where it is wider than the screen, and then says so.

    :param head: text.
    :param rows: cells that are HTML already.
    """
    return framed_table(row('th', map(text, head)), rows, kind)


def framed_table(head: str, rows: Iterable[Sequence[str]], kind: str = '') -> str:
    """:param head: its rows, HTML already."""
    hint = '<p class="hint">the table scrolls sideways &rarr;</p>'
    return scrolling_table(head, rows, kind) + hint


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values, which wraps in place of scrolling."""
    body = ''.join(row('td', (text(name), text(value))) for name, value in rows)
    return f'<table class="facts">{body}</table>'


def again(command: str) -> str:
    """Return a command with a button that copies it."""
    return f'<div class="again">{code(command)}<button type="button">copy</button></div>'
