"""Makes the charts of a report with Bokeh: all on one time axis, with marks of events and faults.

Bokeh is an extra; its JavaScript comes from its Python package, so that a page opens offline.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.models import AdaptiveTicker
from bokeh.models import BoxZoomTool
from bokeh.models import ColumnDataSource
from bokeh.models import CrosshairTool
from bokeh.models import CustomJSTickFormatter
from bokeh.models import DataRange1d
from bokeh.models import GlyphRenderer
from bokeh.models import Line
from bokeh.models import NoOverlap
from bokeh.models import Quad
from bokeh.models import Range1d
from bokeh.models import Span
from bokeh.models import VSpan
from bokeh.plotting import figure
from bokeh.resources import Resources

from kinfer_ros.analysis.report.colours import COLOURS
from kinfer_ros.analysis.report.colours import DASHES
from kinfer_ros.analysis.report.colours import EVENT_COLOUR
from kinfer_ros.analysis.report.colours import FAULT_COLOUR
from kinfer_ros.analysis.report.colours import TEXT_COLOUR
from kinfer_ros.analysis.report.colours import WARNING_COLOUR
from kinfer_ros.analysis.report.colours import mode_colour
from kinfer_ros.analysis.report.colours import shade
from kinfer_ros.analysis.report.curves import CurveReducer
from kinfer_ros.analysis.report.curves import connected
from kinfer_ros.analysis.report.events import FAULT
from kinfer_ros.analysis.report.events import WARNING
from kinfer_ros.analysis.report.events import Event
from kinfer_ros.analysis.report.plots import Curve
from kinfer_ros.analysis.report.plots import Histogram
from kinfer_ros.analysis.report.plots import Plot

HEIGHT = 200
"""px of a chart."""
STRIP_HEIGHT = 26
"""px of the modes of one run."""
LEFT, RIGHT = 58, 16
"""px beside the frame: all charts have their time axis in one place."""
LEAST_SPANS = {'rad': 0.01, 'rad/s': 0.05, 'm/s': 0.02, 'Nm': 0.1, 'us': 10.0, 'deg C': 1.0}
"""Smallest range of an axis by unit: below it is noise."""
LEAST_TIME = 0.05
"""s, smallest range of the time axis."""

# Ticks of one axis have the same decimals.
DECIMALS = """
const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : Math.abs(tick) || 1;
const decimals = Math.min(Math.max(Math.ceil(-Math.log10(step) - 1e-6), 0), 9);
return (Math.abs(tick) < step / 1e6 ? 0 : tick).toFixed(decimals).replace('-', '\\u2212');
"""


@dataclass(frozen=True)
class View:
    """
    What of the time axis is shown, s.

    :ivar start, end: at first.
    :ivar first, last: of all records.
    """

    start: float
    end: float
    first: float
    last: float


@dataclass(frozen=True)
class Drawn:
    """
    A curve on a page, for its legend.

    :ivar renderer: name of its model.
    :ivar column: of the data of its run.
    """

    curve: Curve
    colour: str
    renderer: str
    column: str


class Charts:
    """
    The charts of a page.

    Each is a root of one Bokeh document and has an id, which its place in the page has as well.
    """

    def __init__(
        self, reducers: Sequence[CurveReducer], view: View, marks: Sequence[Event]
    ) -> None:
        """:param reducers: of each run."""
        self._reducers = reducers
        self._data: list[dict[str, Any]] = [
            {'t': np.asarray(each.time, np.float64)} for each in reducers
        ]
        self._sources = [
            ColumnDataSource(name=f'run{number}') for number, _ in enumerate(reducers)
        ]
        self._range = Range1d(
            view.start,
            view.end,
            bounds=(view.first, view.last),
            min_interval=LEAST_TIME,
            name='time',
        )
        self._marks = ColumnDataSource(_mark_columns(marks))
        self._cursor = Span(
            dimension='height', line_color=TEXT_COLOUR, line_width=1, line_alpha=0.8
        )
        self._roots: dict[str, Any] = {}

    def add_plot(self, plot: Plot) -> tuple[str, list[Drawn]]:
        """Draw a plot; :return: the id of its place, and its curves."""
        name = f'chart{len(self._roots)}'
        least = LEAST_SPANS.get(plot.unit, 1e-3)
        chart = self._figure(HEIGHT, DataRange1d(range_padding=0.08, min_interval=least))
        self._add_thresholds(chart, plot, f'{name}_limit' if plot.scaled else None)
        drawn = [
            self._add_curve(chart, curve, f'{name}_{n}') for n, curve in enumerate(plot.curves)
        ]
        chart.y_range.renderers = [
            each for each in chart.renderers if each.name and each.name.startswith(name)
        ]
        self._roots[name] = chart
        return name, drawn

    def add_histogram(self, histogram: Histogram) -> str:
        """Draw a histogram; :return: the id of its place."""
        name = f'chart{len(self._roots)}'
        chart = self._figure(HEIGHT, DataRange1d(start=0), x_range=Range1d(0, histogram.most))
        chart.xaxis.axis_label = f'{histogram.title}, {histogram.unit}'
        chart.yaxis.axis_label = 'records (square root)'
        for run, counts in enumerate(histogram.counts):
            edges = np.linspace(0.0, histogram.most, len(counts) + 1)
            # The square root keeps the few late ticks visible.
            source = ColumnDataSource(
                {'left': edges[:-1], 'right': edges[1:], 'top': np.sqrt(counts)}
            )
            colour = shade(COLOURS[0], run, len(histogram.counts))
            glyph = Quad(left='left', right='right', top='top', bottom=0, fill_color=colour,
                         fill_alpha=0.6, line_color=None)  # fmt: skip
            chart.renderers.append(_renderer(source, glyph))
        self._roots[name] = chart
        return name

    def add_strip(self, spans: Sequence[Sequence[tuple[float, float, str]]]) -> str:
        """Draw the modes of each run: start, end (s), name; :return: the id of its place."""
        count = len(spans)
        chart = self._figure(STRIP_HEIGHT * count + 38, Range1d(-0.5, count - 0.5))
        chart.yaxis.visible = False
        chart.ygrid.visible = False
        for run, each in enumerate(spans):
            starts, ends, names = zip(*each, strict=True)
            source = ColumnDataSource(
                {'left': starts, 'right': ends, 'colour': [mode_colour(name) for name in names]}
            )
            at = count - 1 - run
            glyph = Quad(left='left', right='right', top=at + 0.4, bottom=at - 0.4,
                         fill_color='colour', fill_alpha=0.85, line_color=None)  # fmt: skip
            chart.renderers.insert(0, _renderer(source, glyph))
        self._roots['strip'] = chart
        return 'strip'

    def finish(self) -> tuple[Any, Any]:
        """Return the Bokeh document as JSON, and what is shown where."""
        for source, data in zip(self._sources, self._data, strict=True):
            source.data = data
        document = Document()
        with document.models.freeze():  # else each root is looked through again for every other
            for chart in self._roots.values():
                document.add_root(chart)
        docs, (item,) = standalone_docs_json_and_render_items(list(self._roots.values()))
        places = {chart.id: name for name, chart in self._roots.items()}
        item = item.to_json()
        item['roots'] = {root: places[root] for root in item['roots']}
        return docs, [item]

    def _figure(self, height: int, y_range: Any, x_range: Any = None) -> Any:
        chart = figure(
            height=height, sizing_mode='stretch_width', x_range=x_range or self._range,
            y_range=y_range, toolbar_location=None, tools=[], min_border_left=LEFT,
            min_border_right=RIGHT, min_border_top=6, min_border_bottom=0,
            background_fill_color=None, border_fill_color=None, outline_line_color=None,
            lod_threshold=None,
        )  # fmt: skip
        for axis in (*chart.xaxis, *chart.yaxis):
            axis.ticker = AdaptiveTicker(
                mantissas=[1, 2, 5], desired_num_ticks=5, num_minor_ticks=0
            )
            axis.formatter = CustomJSTickFormatter(code=DECIMALS)
            axis.major_label_policy = NoOverlap(min_distance=6)
            axis.major_label_text_color = axis.axis_label_text_color = TEXT_COLOUR
            axis.axis_line_color = axis.major_tick_line_color = TEXT_COLOUR
            axis.major_label_text_font_size = axis.axis_label_text_font_size = '11px'
            axis.axis_label_text_font_style = 'normal'
            axis.axis_label_standoff = 2
        chart.xgrid.grid_line_color = chart.ygrid.grid_line_color = TEXT_COLOUR
        chart.xgrid.grid_line_alpha = chart.ygrid.grid_line_alpha = 0.22
        if x_range is None:
            chart.xaxis.axis_label = 'time, s'
            chart.window_axis = 'x'
            chart.add_tools(
                BoxZoomTool(dimensions='width'),
                CrosshairTool(dimensions='height', overlay=self._cursor),
            )
            glyph = VSpan(x='x', line_color='colour', line_dash='dash', line_width='width')
            chart.renderers.append(_renderer(self._marks, glyph))
        return chart

    def _add_curve(self, chart: Any, curve: Curve, name: str) -> Drawn:
        data = self._data[curve.run]
        column = f'c{len(data)}'
        with np.errstate(over='ignore'):  # a number beyond float32 is infinite, and not drawn
            drawn = self._reducers[curve.run].values(connected(curve.values)).astype(np.float32)
        data[column] = drawn
        colour = shade(COLOURS[curve.colour % len(COLOURS)], curve.run, len(self._data))
        glyph = Line(x='t', y=column, line_color=colour, line_width=1.5,
                     line_dash=list(DASHES[curve.run]))  # fmt: skip
        chart.renderers.append(_renderer(self._sources[curve.run], glyph, name))
        return Drawn(curve, colour, name, column)

    def _add_thresholds(self, chart: Any, plot: Plot, name: str | None) -> None:
        for each in plot.thresholds:
            time, values = each.time, each.values
            if name:  # an axis is scaled to the points that it shows: a line needs some everywhere
                time, values = each.at_more_times(self._reducers[each.run].time)
            source = ColumnDataSource({'x': time, 'y': values})
            glyph = Line(x='x', y='y', line_color=FAULT_COLOUR, line_width=1.2,
                         line_dash=[6, 3] if each.run == 0 else [2, 3])  # fmt: skip
            chart.renderers.append(_renderer(source, glyph, name))


def _renderer(source: ColumnDataSource, glyph: Any, name: str | None = None) -> GlyphRenderer:
    return GlyphRenderer(
        data_source=source, glyph=glyph, selection_glyph=None, nonselection_glyph=None,
        hover_glyph=None, muted_glyph=None, name=name,
    )  # fmt: skip


def _mark_columns(marks: Sequence[Event]) -> Mapping[str, Any]:
    """Return where events stand; faults are solid and wider."""
    colours = {FAULT: FAULT_COLOUR, WARNING: WARNING_COLOUR}
    return {
        'x': [each.time for each in marks],
        'colour': [colours.get(each.kind, EVENT_COLOUR) for each in marks],
        'dash': ['solid' if each.kind == FAULT else 'dotted' for each in marks],
        'width': [1.6 if each.kind == FAULT else 1.0 for each in marks],
    }


def library() -> str:
    """Return Bokeh's JavaScript, from its package."""
    scripts = Resources(mode='inline', components=['bokeh']).js_raw
    return '\n'.join(text for text in scripts if not text.startswith('Bokeh.set_log_level'))
