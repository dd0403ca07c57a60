"""The help: every key that works on the screen it was called from, and what the marks mean."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from ccr_tui.actions import Action, ActionContext, ActionRegistry, Scope, key_name
from ccr_tui.screens.dialogs.actions import DIALOG
from ccr_tui.screens.dialogs.base import ScrolledDialog, key_of
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.snapshots import FlowState, Trend

_KEYS_WIDTH = 16
_STATES = {
    FlowState.RUNNING: "mirrors; the trend says whether it keeps up",
    FlowState.STARTING: "finds out where to go on",
    FlowState.WAITING: "a cluster is away or refuses; tried again by itself",
    FlowState.PAUSED: "by an operator, until it is resumed",
    FlowState.STANDBY: "another engine runs the flow; this one watches",
    FlowState.DRAINING: "shutting down: what is in flight is being acknowledged",
    FlowState.PROMOTED: "its target is the primary now; this direction is refused",
    FlowState.STOPPED: "needs you: the reason and the next step are shown",
}
_TRENDS = {
    Trend.IN_STEP: "nothing waits to be mirrored",
    Trend.DRAINING: "lag gets smaller",
    Trend.GROWING: "lag gets bigger",
    Trend.STALLED: "lag, and nothing moves",
}
_FILTERS = (
    ("/orders", "rows with orders in their names"),
    ("/!orders", "those without"),
    ("/re:^orders-\\d+/0", "by regular expression; /!re: inverts it"),
    ("/stopped", "by a state: the whole word"),
)


class HelpScreen(ScrolledDialog[None]):
    """Generated from the action registry: what is not there has no key."""

    def __init__(
        self,
        registry: ActionRegistry,
        scopes: Sequence[Scope],
        context: ActionContext,
        symbols: Symbols,
    ) -> None:
        super().__init__(opened_by="help")
        self.facts = [*_key_facts(registry, (*scopes, DIALOG), context)]
        if any(action.method == "filter" for action in registry.in_scopes(scopes)):
            self.facts += _section("Filter", [(text, what, Tone.PLAIN) for text, what in _FILTERS])
        states = [(symbols.state(state), what, Tone.PLAIN) for state, what in _STATES.items()]
        trends = [(symbols.trend(trend), what, Tone.PLAIN) for trend, what in _TRENDS.items()]
        self.facts += _section("States", states) + _section("Trends", trends)

    def compose(self) -> ComposeResult:
        """Title, keys, how to close."""
        with Vertical(classes="dialog -wide"):
            yield Static("Help", markup=False, classes="dialog-title")
            with VerticalScroll(id="text"):
                yield FactsView(self.facts)
            hint = f"Up and Down scroll, {key_of('dialog.close')} closes"
            yield Static(hint, markup=False, classes="dialog-hint")

    def do_read(self) -> None:
        """Close."""
        self.do_close()


def _key_facts(
    registry: ActionRegistry, scopes: Sequence[Scope], context: ActionContext
) -> list[Fact]:
    facts: list[Fact] = []
    for scope in scopes:
        rows = [
            (", ".join(key_name(key) for key in action.keys), *_described(action, context))
            for action in registry.in_scopes([scope])
            if action.keys and action.applies(context)
        ]
        facts += _section(scope.heading, rows)
    return facts


def _described(action: Action, context: ActionContext) -> tuple[str, Tone]:
    reason = action.why_disabled(context)
    return (
        (f"{action.title} (not now: {reason})", Tone.DIM) if reason else (action.title, Tone.PLAIN)
    )


def _section(title: str, rows: Sequence[tuple[str, str, Tone]]) -> list[Fact]:
    facts: list[Fact] = [[(title, Tone.STRONG)]]
    for left, right, tone in rows:
        cells: list[Cell] = [(f"  {left:<{_KEYS_WIDTH}} ", Tone.STRONG), (right, tone)]
        facts.append(cells)
    facts.append([("", Tone.PLAIN)])
    return facts
