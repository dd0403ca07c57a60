"""The lines above the lag tables: which flow, how it goes over all, what retention threatens."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from ccr_tui import formats
from ccr_tui.screens.lag.views import ViewName, Views
from ccr_tui.screens.overtaking import engine_now, overtaking_words
from ccr_tui.screens.tones import FLOW_TONES, soon
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from engine.api.snapshots import FlowSnapshot


class TonedLine(OneLine):
    """A line whose pieces may carry a tone."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"toned--{tone}" for tone in Tone}


class LagTitles(Vertical):
    """Flow, state, position and filter; the flow's lag and rates; a warning where one is due."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols
        self.first = TonedLine()
        self.second = TonedLine()
        self.warning = TonedLine(id="overtaken")

    def compose(self) -> ComposeResult:
        """Two lines, or three."""
        yield self.first
        yield self.second
        yield self.warning

    def on_mount(self) -> None:
        """Begin without a warning."""
        self.warning.display = False

    def show(
        self, name: str, flow: FlowSnapshot | None, views: Views, state: ConsoleState, now: float
    ) -> None:
        """Bring the lines up to date."""
        left = [(f" {name}", "toned--strong")]
        if views.name is ViewName.TOPIC:
            left.append((f" {self.symbols.cursor} {views.topic}", "toned--strong"))
        if flow is not None:
            left.append((f"  {self.symbols.state(flow.state)}", f"toned--{FLOW_TONES[flow.state]}"))
            if flow.partitions_stopped:
                left.append(
                    (f"  {self.symbols.stuck} {flow.partitions_stopped:,} stopped", "toned--bad")
                )
            if flow.partitions_waiting:
                left.append((f"  {flow.partitions_waiting:,} waiting", "toned--warn"))
        self.first.show(left, [(f" {_position(views.current)} ", "")])
        self.second.show(self._rates(flow) if flow else [])
        self._warn(flow, state, now)

    def _warn(self, flow: FlowSnapshot | None, state: ConsoleState, now: float) -> None:
        found = flow.overtaken if flow else None
        shown = found is not None and soon(found.first, engine_now(state, now))
        self.warning.display = shown
        if found is None or not shown:
            return
        text = f" {self.symbols.warning} {found.topic}/{found.partition}: "
        text += overtaking_words(found.first, state, now)
        if found.partitions > 1:
            text += f"; {formats.plural(found.partitions, 'partition')} within a day"
        self.warning.show([(text, "toned--bad")])

    def _rates(self, flow: FlowSnapshot) -> list[tuple[str, str]]:
        cells = 12 if self.size.width < 100 else 24
        ramp = self.symbols.ramp
        lag = formats.sparkline([point.lag_records for point in flow.history], cells, ramp)
        rate = formats.sparkline([point.records_per_second for point in flow.history], cells, ramp)
        room = self.size.width >= 76
        return [
            (" lag ", "toned--dim"),
            (f"{lag} {formats.count(flow.lag_records)}, {formats.seconds(flow.lag_seconds)}", ""),
            ("   records/s ", "toned--dim"),
            (f"{rate} {formats.rate(flow.records_per_second)}", ""),
            (f", {formats.size(flow.bytes_per_second)}/s" if room else "", ""),
        ]


def _position(view: FilteredTable[Any]) -> str:
    table = view.table
    shown, total = len(table.book.shown), len(table.book.rows)
    here = table.cursor_index + 1 if shown else 0
    if view.filter is None:
        return f"{here:,} of {formats.plural(shown, view.noun)}"
    return f"{here:,} of {shown:,} in {total:,} /{view.filter.text}"
