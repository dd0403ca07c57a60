"""The last hour of a flow or topic, plotted: lag beside throughput."""

from __future__ import annotations

from enum import StrEnum

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.plot.series import Series
from ccr_tui.widgets.plot.view import Plot
from engine.api.loss_snapshots import HistorySnapshot
from engine.printable import printable


class HourOf(StrEnum):
    """What is plotted."""

    NOTHING = "nothing"
    FLOW = "flow"
    TOPIC = "topic"

    def following(self) -> HourOf:
        """Return what the key shows next."""
        order = list(HourOf)
        return order[(order.index(self) + 1) % len(order)]


class HourPane(Vertical):
    """Heading, two plots side by side, or a sentence in their place."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(id="hour")
        self._symbols = symbols
        self.heading = OneLine(classes="heading")
        self.lag = Plot(symbols, id="hour-lag")
        self.rate = Plot(symbols, id="hour-rate")
        self.plots = Horizontal(self.lag, self.rate)
        self.note = Static("", markup=False, classes="note")

    def compose(self) -> ComposeResult:
        """Stack the parts."""
        yield self.heading
        yield self.plots
        yield self.note

    def show(self, name: str, history: HistorySnapshot | None, trouble: str, hint: str) -> None:
        """Show a history; `trouble`: why there is no newer one; `hint`: what the key does next."""
        rule = self._symbols.rule
        words = f"{rule} {formats.one_line(name)}, the last hour "
        self.heading.show([(words, "")], [(f" {hint} {rule}", "")], rule)
        note = trouble or _note(name, history)
        self.note.update(printable(note))
        self.note.display = bool(note)
        drawn = history is not None and bool(history.at)
        self.plots.display = drawn
        if history is not None and drawn:
            self.lag.show(Series("Lag, records", history.at, history.lost_records, _count))
            self.rate.show(
                Series("Records/s", history.at, history.records_per_second, formats.rate)
            )


def _note(name: str, history: HistorySnapshot | None) -> str:
    if history is None:
        return "Waiting for the engine's answer."
    if history.at:
        return ""
    if history.topic is None:
        return "No history yet: the engine adds a point every 5 s from its start on."
    return f"No history of {name} yet: the engine remembers topics that lag, and this one from now."


def _count(value: float) -> str:
    return formats.count(round(value), 7)
