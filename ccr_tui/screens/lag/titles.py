"""The two lines above the lag table: which flow, how many partitions, how it goes over all."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from ccr_tui import formats
from ccr_tui.screens.lag.filtering import Filter
from ccr_tui.screens.tones import FLOW_TONES
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import FlowSnapshot, PartitionSnapshot


class TonedLine(OneLine):
    """A line whose pieces may carry a tone."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"toned--{tone}" for tone in Tone}


class LagTitles(Vertical):
    """Flow, state, position and filter; below it the flow's lag and rates with their history."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols
        self.first = TonedLine()
        self.second = TonedLine()

    def compose(self) -> ComposeResult:
        """Two lines."""
        yield self.first
        yield self.second

    def show(
        self,
        name: str,
        flow: FlowSnapshot | None,
        table: LineTable[PartitionSnapshot],
        active: Filter | None,
    ) -> None:
        """Bring both lines up to date."""
        left = [(f" {name}", "toned--strong")]
        if flow is not None:
            left.append((f"  {self.symbols.state(flow.state)}", f"toned--{FLOW_TONES[flow.state]}"))
            if flow.partitions_stopped:
                left.append(
                    (f"  {self.symbols.stuck} {flow.partitions_stopped:,} stopped", "toned--bad")
                )
            if flow.partitions_waiting:
                left.append((f"  {flow.partitions_waiting:,} waiting", "toned--warn"))
        self.first.show(left, [(_position(table, active), ""), (" ", "")])
        self.second.show(self._rates(flow) if flow else [])

    def _rates(self, flow: FlowSnapshot) -> list[tuple[str, str]]:
        cells = 12 if self.size.width < 100 else 24
        ramp = self.symbols.ramp
        lag = formats.sparkline([point.lag_records for point in flow.history], cells, ramp)
        rate = formats.sparkline([point.records_per_second for point in flow.history], cells, ramp)
        return [
            (" lag ", "toned--dim"),
            (f"{lag} {formats.count(flow.lag_records)}, {formats.seconds(flow.lag_seconds)}", ""),
            ("   records/s ", "toned--dim"),
            (f"{rate} {formats.rate(flow.records_per_second)}", ""),
            (f", {formats.size(flow.bytes_per_second)}/s", ""),
        ]


def _position(table: LineTable[PartitionSnapshot], active: Filter | None) -> str:
    shown, total = len(table.book.shown), len(table.book.rows)
    here = table.cursor_index + 1 if shown else 0
    if active is None:
        return f"{here:,} of {shown:,}"
    return f"{here:,} of {shown:,} in {total:,} /{active.text}"
