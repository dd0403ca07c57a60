"""The last hour of a flow or topic, plotted below a table: what screens share of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from ccr_tui import formats
from ccr_tui.asking import Asker
from ccr_tui.screens.base import CcrScreen
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.oneline import OneLine
from ccr_tui.widgets.plot.series import Series
from ccr_tui.widgets.plot.view import Plot
from engine.api.loss_snapshots import HistorySnapshot
from engine.printable import printable

EVERY = 5.0
"""Seconds between two looks at the last hour: the engine adds a point as often."""


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

    def __init__(
        self, symbols: Symbols, plotted: Callable[[HistorySnapshot], Sequence[Series]]
    ) -> None:
        """Plot the two series that `plotted` takes from a history."""
        super().__init__(id="hour")
        self._symbols = symbols
        self._plotted = plotted
        self.heading = OneLine(classes="heading")
        self.plots = (Plot(symbols, id="hour-left"), Plot(symbols, id="hour-right"))
        self.side_by_side = Horizontal(*self.plots)
        self.note = Static("", markup=False, classes="note")

    def compose(self) -> ComposeResult:
        """Stack the parts."""
        yield self.heading
        yield self.side_by_side
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
        self.side_by_side.display = drawn
        if history is not None and drawn:
            for plot, series in zip(self.plots, self._plotted(history), strict=True):
                plot.show(series)


class LastHour:
    """Which hour a screen shows, if any; asks for it only while it is shown."""

    def __init__(
        self,
        screen: CcrScreen,
        pane: HourPane,
        ask: Callable[[str | None], Awaitable[HistorySnapshot]],
    ) -> None:
        """`ask` gets the history of a topic or, with None, of the flow."""
        self._screen = screen
        self._pane = pane
        self._ask = ask
        self._topic: str | None = None
        self._asker: Asker[HistorySnapshot] = Asker(screen, self._answer, every=EVERY)
        self.of = HourOf.NOTHING

    def turn(self) -> None:
        """Plot the flow's, then the topic's, then none."""
        self.of = self.of.following()
        self._screen.set_class(self.of is not HourOf.NOTHING, "-hour")
        if self.of is HourOf.FLOW:
            self._screen.run_worker(self._asker.run(), group="history", exclusive=True)
        elif self.of is HourOf.NOTHING:
            self._screen.workers.cancel_group(self._screen, "history")

    def show(self, flow: str, topic: str | None, now: float) -> None:
        """Show what is known; `topic` is the one in sight, `now` monotonic."""
        if self.of is HourOf.NOTHING:
            return
        wanted = topic if self.of is HourOf.TOPIC else None
        if wanted != self._topic:
            self._topic = wanted
            self._asker.forget()
        hint = "h: the topic's" if self.of is HourOf.FLOW else "h: close"
        trouble = self._asker.trouble(now)
        self._pane.show(wanted or flow, self._asker.answer, trouble, hint)

    async def _answer(self) -> HistorySnapshot:
        return await self._ask(self._topic)


def _note(name: str, history: HistorySnapshot | None) -> str:
    if history is None:
        return "Waiting for the engine's answer."
    if history.at:
        return ""
    if history.topic is None:
        return "No history yet: the engine adds a point every 5 s from its start on."
    return f"No history of {name} yet: the engine remembers topics that lag, and this one from now."


def records(title: str, history: HistorySnapshot) -> Series:
    """Return how many records were not mirrored, over the hour."""
    return Series(title, history.at, history.lost_records, _count)


def _count(value: float) -> str:
    return formats.count(round(value), 7)
