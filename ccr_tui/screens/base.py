"""What every full screen has: header, banner, footer, and actions from the registry."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Protocol

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input, Static, TextArea

from ccr_tui.actions import GLOBAL, Action, ActionContext, Scope
from ccr_tui.bridge import EngineBridge
from ccr_tui.catalog import REGISTRY
from ccr_tui.formats import age, one_line
from ccr_tui.places import Place
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.footer import FooterLine
from ccr_tui.widgets.header import HeaderLine
from ccr_tui.widgets.table.view import LineTable
from engine.service import wording


class Console(Protocol):
    """What a screen needs of the app."""

    state: ConsoleState
    symbols: Symbols
    bridge: EngineBridge
    breadcrumbs: bool
    """Whether headers say by which places one came."""

    def perform(self, action: Action, context: ActionContext, screen: CcrScreen) -> None:
        """Do an action, or say why not."""

    def go(self, place: str, subject: str | None = None) -> None:
        """Go to a place, back to it where one came by it."""

    @property
    def way(self) -> tuple[str, ...]:
        """The places one came by, by their titles."""
        ...


class CcrScreen(Screen[None]):
    """A full screen of the console. Subclasses give `SCOPES`, a body, and `do_<method>` methods."""

    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (14, "-low"), (22, "-high")]  # noqa: RUF012 - Textual's
    SCOPES: ClassVar[tuple[Scope, ...]] = (GLOBAL,)

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__()
        REGISTRY.rebind(self)
        self.console = console
        self.subject = subject
        self.place: Place | None = None
        self.crumb = ""
        """What it is called on the way."""
        self.header = HeaderLine()
        self.banner = Static("", markup=False, id="banner")
        self.footer = FooterLine()
        self._banner = ("", "")

    def compose(self) -> ComposeResult:
        """Header, banner, body, footer."""
        yield self.header
        yield self.banner
        yield from self.compose_body()
        yield self.footer

    def compose_body(self) -> ComposeResult:
        """Give what is between banner and footer."""
        raise NotImplementedError

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring the body up to date."""
        raise NotImplementedError

    def context(self) -> ActionContext:
        """Return what an action would act on now."""
        return ActionContext(self.console.state)

    def show_state(self) -> None:
        """Bring everything up to date with the console's state; called at least once a second."""
        if not self.is_mounted:
            return
        state, now = self.console.state, time.monotonic()
        flow = self.context().flow
        way = self.console.way if self.console.breadcrumbs else ()
        self.header.show_state(state, now, self.console.symbols, way, flow)
        self._show_banner(*banner(state, now))
        self.set_class(state.stale(now), "-stale")
        self.show_body(state, now)
        self.show_footer()

    @property
    def table_in_sight(self) -> LineTable[Any] | None:
        """The table in focus, or else the first one that is shown."""
        if isinstance(self.focused, LineTable):
            return self.focused
        shown = (table for table in self.query(LineTable) if table.size.height)
        return next(shown, None)

    def text_to_copy(self) -> str:
        """Return what `copy` sends: what the row under the cursor is called."""
        table = self.table_in_sight
        return table.current_name if table is not None else ""

    def do_other_flow(self, step: str) -> None:
        """Show the same of the next flow, or of the one before."""
        flows = self.console.state.snapshot.flows if self.console.state.snapshot else ()
        names = [flow.name for flow in flows]
        if self.place is None or self.subject not in names or len(names) < 2:
            return
        other = names[(names.index(self.subject) + int(step)) % len(names)]
        self.dismiss(None)
        self.console.go(self.place.id, other)

    def do_back(self) -> None:
        """Leave for where one came from."""
        self.dismiss(None)

    def show_footer(self) -> None:
        """Bring the footer up to date."""
        self.footer.show_actions(REGISTRY.in_scopes(self.SCOPES), self.context())

    def _show_banner(self, text: str, kind: str) -> None:
        if (text, kind) == self._banner:
            return
        self._banner = (text, kind)
        self.banner.update(text)
        self.banner.display = bool(text)
        self.banner.set_classes(f"-{kind}" if kind else "")

    def on_mount(self) -> None:
        """Draw what is known already."""
        self.banner.display = False
        self.call_after_refresh(self.show_state)

    def on_screen_resume(self) -> None:
        """Catch up with what happened behind another screen."""
        self.show_state()

    def on_resize(self) -> None:
        """Fit header and footer to the new width."""
        self.call_after_refresh(self.show_state)

    @property
    def unsaved(self) -> bool:
        """Whether something would be lost by closing it."""
        return False

    @property
    def takes_text(self) -> bool:
        """Whether keys are text now, and not commands."""
        return isinstance(self.focused, Input | TextArea)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the one of several actions on a key through that applies; none while typing."""
        if action != "act":
            return super().check_action(action, parameters)
        meant = REGISTRY[str(parameters[0])]
        if self.takes_text and not meant.in_inputs:
            return False
        return meant.applies(self.context())

    def action_act(self, action_id: str) -> None:
        """Perform an action of the registry."""
        self.console.perform(REGISTRY[action_id], self.context(), self)


def banner(state: ConsoleState, now: float) -> tuple[str, str]:
    """Return what must be said above everything, and how it looks; empty when all is well."""
    failure = state.failure
    if failure is not None:
        old = state.age(now)
        last = f" What you see is {age(old)} old." if old is not None else ""
        lost = f"ENGINE LOST for {age(state.lost_for(now))}: {one_line(str(failure))}"
        return f"{lost}{last} Trying again.", "failed"
    running = under_way(state)
    if running:
        return running
    watched = state.watched_flows()
    if not watched or state.snapshot is None:
        return "", ""
    flow = watched[0]
    if flow.owner is None:
        return "", ""
    beat = state.observed_ago(flow.owner.heartbeat_at, now)
    who = f"{flow.owner.host} (pid {flow.owner.pid}), heartbeat {age(beat)} ago"
    total = len(state.snapshot.flows)
    what = (
        f"{flow.name} is"
        if len(watched) == 1
        else f"{len(watched)} of {total} flows, {flow.name} first, are"
    )
    return f"OBSERVER: {what} run by {who}. This console only watches; t takes over.", "observer"


def under_way(state: ConsoleState) -> tuple[str, str] | None:
    """Return what is to be said of a runbook under way, a fenced flow's first."""
    if state.snapshot is None:
        return None
    flows = [(flow.run, flow) for flow in state.snapshot.flows if flow.run is not None]
    if not flows:
        return None
    run, flow = max(flows, key=lambda each: (each[0].fenced, each[0].state != "running"))
    told = wording.run(run, flow.source, state.snapshot.taken_at)
    return f"{flow.name}: {told}", "failed" if run.fenced or run.state != "running" else "observer"
