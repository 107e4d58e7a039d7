"""Shows a recorded run or a running robot in Rerun's viewer; rerun-sdk is an extra."""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import rerun as rr
from rerun import blueprint as rrb

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.report.colours import COLOURS
from kinfer_ros.analysis.report.events import WARNING
from kinfer_ros.analysis.report.events import kind_of
from kinfer_ros.analysis.report.events import listed
from kinfer_ros.analysis.series import BASE
from kinfer_ros.analysis.series import JOINTS
from kinfer_ros.analysis.series import OTHER
from kinfer_ros.analysis.series import POLICY
from kinfer_ros.analysis.series import TIMING
from kinfer_ros.analysis.series import Panel
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError
from kinfer_ros.viewers.rerun_viewer import open_viewer

CLOCK = 'time'
EVENTS = 'events'
MODE = 'mode'

_FAULT = re.compile(r'\bfault\b')

FLUSH_TIMEOUT = 20.0
"""s, for the viewer to receive all data."""


def entity(group: str, panel: str, label: str) -> str:
    """Return the path of a series; a panel shows everything below its own path."""
    return str(rr.new_entity_path([group, panel, label]))


def layout(panels: Sequence[Panel]) -> Any:
    """Lay out the viewer: a tab for each group, in it a plot for each panel; events below."""
    tabs = []
    for group in (BASE, JOINTS, TIMING, POLICY, OTHER):
        views: list[Any] = []
        explained: set[tuple[str, ...]] = set()
        for panel in (panel for panel in panels if panel.group == group):
            # A legend covers lines: once is enough for panels that share theirs.
            views.append(_plot(panel, legend=panel.labels not in explained))
            explained.add(panel.labels)
        if views:
            tabs.append(rrb.Grid(*views, name=group))
    events = rrb.TextLogView(origin='/', contents=[f'/{MODE}', f'/{EVENTS}'], name='events')
    return rrb.Blueprint(
        rrb.Vertical(rrb.Tabs(*tabs), events, row_shares=[4, 1]),
        rrb.SelectionPanel(state='collapsed'),
        rrb.TimePanel(state='collapsed'),
    )


def _plot(panel: Panel, *, legend: bool) -> Any:
    return rrb.TimeSeriesView(
        origin=str(rr.new_entity_path([panel.group, panel.name])),
        name=f'{panel.name}, {panel.unit}' if panel.unit else panel.name,
        plot_legend=rrb.PlotLegend(visible=legend),
    )


def open_recording(name: str, panels: Sequence[Panel], save: Path | None) -> Any:
    """
    Open the viewer, or a file.

    :param save: .rrd file to write; None opens the viewer.
    :raises RunError: the file cannot be written, or no viewer can be opened.
    """
    recording = rr.RecordingStream('kinfer_ros')
    recording.send_recording_name(name)
    if save is None:
        recording.connect_grpc(open_viewer(), default_blueprint=layout(panels))
    else:
        _save(recording, save, layout(panels))
    for panel in panels:
        # Rerun's own colours come from the path: two lines of a plot may have the same.
        for label, colour in zip(panel.labels, cycle(COLOURS), strict=False):
            path = entity(panel.group, panel.name, label)
            recording.log(path, rr.SeriesLines(colors=int(f'{colour[1:]}ff', 16)), static=True)
    return recording


def _save(recording: Any, path: Path, blueprint: Any) -> None:
    try:
        with path.open('wb'):
            pass  # rerun does not report a file that cannot be written
        recording.save(path, default_blueprint=blueprint)
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error


def finish(recording: Any) -> None:
    """Wait until all data is written or received."""
    try:
        recording.flush(timeout_sec=FLUSH_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise RunError(f"Rerun's viewer did not receive all data ({error})") from error


def send_run(recording: Any, columns: Columns, series: Sequence[Series]) -> None:
    """Send a whole run: every number, mode and event."""
    for each in series:
        finite = np.isfinite(each.values)
        recording.send_columns(
            entity(each.group, each.panel, each.label),
            indexes=[rr.TimeColumn(CLOCK, duration=columns.time[finite])],
            columns=rr.Scalars.columns(scalars=each.values[finite]),
        )
    modes = columns.modes
    for index, mode in enumerate(modes):
        if not index or modes[index - 1] != mode:
            log_text(recording, MODE, columns.time[index], f'mode {mode}')
    for index, text in listed(columns.events):
        log_text(recording, EVENTS, columns.time[index], text)


class Batch:
    """Collects the numbers of a running robot and sends them a few times a second."""

    def __init__(self, recording: Any) -> None:
        self._recording = recording
        self._held: dict[tuple[str, str, str], list[tuple[float, float]]] = {}

    def add(self, seconds: float, numbers: Mapping[tuple[str, str, str], float]) -> None:
        """Add numbers by group, panel and label."""
        for key, number in numbers.items():
            self._held.setdefault(key, []).append((seconds, number))

    def send(self) -> None:
        """Send what was added since the last call."""
        for key, pairs in self._held.items():
            times, numbers = zip(*pairs, strict=True)
            self._recording.send_columns(
                entity(*key),
                indexes=[rr.TimeColumn(CLOCK, duration=times)],
                columns=rr.Scalars.columns(scalars=numbers),
            )
        self._held.clear()


def log_text(recording: Any, where: str, seconds: float, text: str) -> None:
    """Send a line of text; faults as errors, warnings as such."""
    recording.set_time(CLOCK, duration=float(seconds))
    level = rr.TextLogLevel.WARN if kind_of(text) == WARNING else rr.TextLogLevel.INFO
    if _FAULT.search(text):
        level = rr.TextLogLevel.ERROR
    recording.log(where, rr.TextLog(text, level=level))
