"""The page of a comparison: both policies side by side, with intervals and verdicts."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.analysis.html_page import text
from kinfer_ros.evaluation.comparison import ALL
from kinfer_ros.evaluation.comparison import BETTER
from kinfer_ros.evaluation.comparison import HEAD
from kinfer_ros.evaluation.comparison import SAME
from kinfer_ros.evaluation.comparison import SURVIVED
from kinfer_ros.evaluation.comparison import WORSE
from kinfer_ros.evaluation.comparison import Row
from kinfer_ros.evaluation.comparison import cells
from kinfer_ros.evaluation.comparison import conditions_table
from kinfer_ros.evaluation.comparison import overall
from kinfer_ros.evaluation.html_page import again
from kinfer_ros.evaluation.html_page import evaluation_html
from kinfer_ros.evaluation.html_page import facts
from kinfer_ros.evaluation.html_page import section
from kinfer_ros.evaluation.html_page import table
from kinfer_ros.evaluation.page import condition_facts

KIND = {BETTER: 'good', WORSE: 'bad'}

FOOT = """Every number is of jobs that both policies ran: the same command, condition and seed, so
the same robot, noise and pushes. survived: of all these jobs; the other measures: of those in
which both stayed up, so that a fall, which cuts a run short, is counted once. B - A: the mean of
the differences, with its 95 % confidence interval: Student's t of the paired differences; for
survived exact, by the jobs in which only one of the two fell. better, worse: the interval leaves
out 0. no difference (=): it does not; more seeds make it narrower. too few pairs (empty): fewer
than four. Where nothing differs, one verdict in twenty is chance all the same."""


def make_comparison_page(
    settings: tuple[Mapping[str, Any], Mapping[str, Any]], rows: Sequence[Row], command: str
) -> bytes:
    """
    Return the HTML.

    :param settings: of the evaluations of A and of B.
    :param command: that repeats the comparison.
    """
    a, b = settings
    whole = [row for row in rows if row.scope == ALL]
    body = [
        f'<h1>{text(_file(a))} (A) and {text(_file(b))} (B) on {text(a["robot"])}</h1>',
        f'<p id="verdict">{text(overall(rows))}</p>',
        again(command),
        section('Measures', table([*HEAD, 'better or worse'], map(_measure_row, whole))),
        section('By condition', _conditions(rows)),
        section('Settings', facts(_settings(a, b))),
        '<p><a href="a/report.html">page of A</a>, <a href="b/report.html">page of B</a></p>',
        f'<footer>{text(FOOT)}</footer>',
    ]
    return evaluation_html(f'{_file(a)} and {_file(b)} on {a["robot"]}', body)


def _file(settings: Mapping[str, Any]) -> str:
    return str(settings['model']).rpartition('/')[2]


def _measure_row(row: Row) -> list[str]:
    name, verdict, *numbers = cells(row)
    return [text(name), _verdict(verdict), *map(text, numbers), _interval(row)]


def _interval(row: Row) -> str:
    """Draw the interval around zero: better on the left, worse on the right."""
    if row.low is None or row.high is None or row.difference is None:
        return ''
    largest = max(abs(row.low), abs(row.high)) or 1.0
    sign = -1.0 if row.measure == SURVIVED else 1.0
    ends = [50.0 + sign * 46.0 * each / largest for each in (row.low, row.high, row.difference)]
    kind = KIND.get(row.verdict, '')
    return (
        '<div class="interval"><svg role="img" aria-label="interval">'
        '<line x1="50%" x2="50%" y1="2" y2="22"/>'
        f'<line class="span {kind}" x1="{ends[0]:.1f}%" x2="{ends[1]:.1f}%" y1="12" y2="12"/>'
        f'<circle class="{kind}" cx="{ends[2]:.1f}%" cy="12" r="4"/></svg></div>'
    )


def _conditions(rows: Sequence[Row]) -> str:
    head, body = conditions_table(rows)
    marked = [[text(row[0]), *map(_verdict, row[1:])] for row in body]
    note = f'B is ...; =: {SAME}; empty: too few pairs'
    return f'<p class="dim">{note}</p>' + table(head, marked, 'grid')


def _verdict(word: str) -> str:
    return f'<span class="{KIND.get(word, "dim")}">{text(word)}</span>'


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [('A', a['model']), ('sha256 of A', a['model_sha256'])]
    rows += [('B', b['model']), ('sha256 of B', b['model_sha256'])]
    rows += [('robot', a['robot']), ('seconds', f'{a["seconds"]:g} of each run')]
    rows += [('seeds', str(a['seeds']))]
    return rows + condition_facts(a)
