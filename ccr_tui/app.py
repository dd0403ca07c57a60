"""The console's application: owns the state, hands messages and actions to where they belong."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import SystemCommand
from textual.command import Provider
from textual.screen import Screen

from ccr_tui import giving, performing
from ccr_tui.actions import GLOBAL, Action, ActionContext
from ccr_tui.bridge import EngineBridge, Reopen
from ccr_tui.carrying.acts import Carrier
from ccr_tui.catalog import REGISTRY
from ccr_tui.commandline.acts import Commander
from ccr_tui.leaving import question_before_quitting
from ccr_tui.messages import EngineChanged, EventsReady, LinkLost, PartitionsReady, SnapshotReady
from ccr_tui.navigation import Navigator
from ccr_tui.pace import Pace
from ccr_tui.palette import ActionPalette, ActionProvider
from ccr_tui.screens.base import CcrScreen
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.places import PlacesDialog
from ccr_tui.screens.dialogs.theme import ThemeDialog
from ccr_tui.screens.everywhere import place_named
from ccr_tui.screens.help.screen import HelpScreen
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.settings.loader import Settings
from ccr_tui.state import ConsoleMode, ConsoleState
from ccr_tui.symbols import Symbols, for_locale
from ccr_tui.themes import theme_folders
from ccr_tui.theming import ThemesChanged, Theming
from ccr_tui.typed_ahead import TypedAheadApp
from engine.api.protocol import EngineApi

TWICE_WITHIN = 3.0
"""Seconds in which ctrl+c must be pressed again."""


class CcrApp(TypedAheadApp[None], inherit_bindings=False):
    """The console, on any engine that speaks `EngineApi`.

    The caller opens and closes the engine; `reopen`, where given, replaces one that was lost.
    """

    TITLE = "ccr"
    CSS_PATH = Path(__file__).parent / "styles" / "console.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionProvider}
    BINDINGS = REGISTRY.bindings(GLOBAL)
    ENABLE_COMMAND_PALETTE = False  # Textual's own binding for it; ours comes from the registry
    NOTIFICATION_TIMEOUT = 6.0

    def __init__(
        self,
        api: EngineApi,
        *,
        mode: ConsoleMode,
        config_name: str,
        theme: str | None = None,
        folders: Sequence[Path] | None = None,
        symbols: Symbols | None = None,
        reopen: Reopen | None = None,
        pace: Pace | None = None,
        hints: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        settings = settings or Settings()
        REGISTRY.use_keys(settings.keys)
        # Native colours from the start: Textual then drops every colour under NO_COLOR instead of
        # turning them into greys.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        REGISTRY.rebind(self)
        self.animation_level = "none"
        self.symbols = symbols or for_locale()
        self.state = ConsoleState(mode, config_name)
        self.bridge = EngineBridge(api, self.post_message, reopen=reopen, pace=pace)
        self.theming = Theming(self, theme_folders() if folders is None else folders)
        told = tuple(str(problem) for problem in settings.problems)
        self._problems = told + self.theming.begin(theme or settings.values.theme)
        self.navigator = Navigator(self, self)
        self._hints = hints
        self.breadcrumbs = settings.values.breadcrumbs
        self.carrier = Carrier(self, settings.values)
        self.commander = Commander(self)
        self.crash: Exception | None = None
        """The fault that ended the console, for the caller to tell."""
        self.trail: deque[str] = deque(maxlen=20)
        """The actions that were done last, by id."""
        self._interrupted_at = float("-inf")

    def on_mount(self) -> None:
        """Start to ask the engine."""
        self.set_class(self.symbols.ascii_only, "-ascii")
        self.run_worker(self.bridge.run(), name="bridge", group="bridge")
        self.run_worker(self.theming.watch(), name="themes", group="themes")
        self.set_interval(1.0, self._refresh_top)
        self.call_after_refresh(self._tell_problems)

    def get_default_screen(self) -> Screen[None]:
        """Begin with the overview."""
        return OverviewScreen(self, hints=self._hints)

    @on(ThemesChanged)
    def _themes_changed(self, message: ThemesChanged) -> None:
        self._problems = self.theming.changed(message.themes)
        self._tell_problems()

    def _tell_problems(self) -> None:
        for problem in self._problems:
            self.notify(problem, severity="warning", markup=False, timeout=15)

    @property
    def top(self) -> CcrScreen | None:
        """The screen in front, under any dialog."""
        way = self.navigator.way
        return way[-1] if way else None

    def _refresh_top(self) -> None:
        if self.top is not None:
            self.top.show_state()

    @on(SnapshotReady)
    def _snapshot_ready(self, message: SnapshotReady) -> None:
        self.state.answered(message.snapshot, message.received_at)
        self._refresh_top()

    @on(EventsReady)
    def _events_ready(self, message: EventsReady) -> None:
        self.state.happened(message.engine_id, message.events)
        self._refresh_top()

    @on(PartitionsReady)
    def _partitions_ready(self) -> None:
        if isinstance(self.top, LagScreen):
            self.top.apply(self.bridge.take_partitions())

    @on(EngineChanged)
    def _engine_changed(self, message: EngineChanged) -> None:
        self.state.mode = message.mode

    @on(LinkLost)
    def _link_lost(self, message: LinkLost) -> None:
        self.state.failed(message.what, message.next_step, message.at)
        self._refresh_top()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer none of Textual's own: the registry has all there are."""
        return ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep most keys out of dialogs and of what is typed."""
        if action != "act" or REGISTRY[str(parameters[0])].in_inputs:
            return super().check_action(action, parameters)
        return isinstance(self.screen, CcrScreen) and not self.screen.takes_text

    def action_act(self, action_id: str) -> None:
        """Perform one of the actions that work everywhere."""
        if self.top is not None:
            self.perform(REGISTRY[action_id], self.top.context(), self.top)

    def perform(self, action: Action, context: ActionContext, screen: CcrScreen) -> None:
        """Do an action, or say why not."""
        self.trail.append(action.id)
        reason = action.why_disabled(context)
        if reason is not None:
            self.notify(f"{action.title}: {reason}.", severity="warning", markup=False)
        elif action.call is not None:
            self.run_worker(
                performing.command(self, self.bridge, action, context), group="commands"
            )
        else:
            name = f"do_{action.method}"
            doers = (screen, self, self.carrier, self.commander)
            handler = getattr(next(doer for doer in doers if hasattr(doer, name)), name)
            handler(*([action.argument] if action.argument else []))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text as the action `copy` does."""
        self.carrier.copy(text)

    def to_terminal(self, sequence: str) -> None:
        """Write a sequence that draws nothing."""
        if self._driver is not None:
            self._driver.write(sequence)

    def _handle_exception(self, error: Exception) -> None:
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual's own prints the values of variables; the caller tells of `crash` in our way.
        self._close_messages_no_wait()

    def do_go(self, place_id: str) -> None:
        """Go to a place with what is selected here."""
        if self.top is None:
            return
        place = place_named(place_id)
        self.go(place_id, place.subject(self.top.context()) if place.subject else None)

    def go(self, place: str, subject: str | None = None) -> None:
        """Go to a place, back to it where one came by it."""
        self.navigator.go(place_named(place), subject)

    @property
    def way(self) -> tuple[str, ...]:
        """The places one came by, by their titles."""
        return tuple(screen.crumb for screen in self.navigator.way)

    def do_help(self) -> None:
        """Show the help for the screen in front."""
        if self.top is not None:
            self.push_screen(
                HelpScreen(REGISTRY, self.top.SCOPES, self.top.context(), self.symbols)
            )

    def do_palette(self) -> None:
        """Open the command palette."""
        if not isinstance(self.screen, ActionPalette):
            self.push_screen(ActionPalette())

    def do_give_secret(self) -> None:
        """Ask for the secrets that the engine lacks."""
        if self.top is not None:
            asking = giving.secrets(self, self.bridge, self.top.context())
            self.run_worker(asking, group="commands")

    def do_refresh_now(self) -> None:
        """Ask the engine now."""
        self.bridge.poke()

    def do_places(self) -> None:
        """Choose where to go."""
        if self.top is not None:
            going = [action for action in REGISTRY.actions if action.id.startswith("go.")]
            self.push_screen(PlacesDialog(going, self.top.context()), self._place_chosen)

    def _place_chosen(self, action: Action | None) -> None:
        if action is not None and self.top is not None:
            self.perform(action, self.top.context(), self.top)

    def do_choose_theme(self) -> None:
        """Choose among the themes."""
        self.push_screen(ThemeDialog(self.theming.names))

    def do_suspend(self) -> None:
        """Go to the background; `fg` comes back."""
        self.action_suspend_process()

    def do_quit(self) -> None:
        """Quit, after asking when replication ends with the console."""
        question = question_before_quitting(self.state)
        if question is None:
            self.exit()
        else:
            self.push_screen(ConfirmDialog(question, dangerous=True), self._quit_answered)

    def _quit_answered(self, confirmed: bool | None) -> None:
        if confirmed:
            self.exit()

    def do_interrupt(self) -> None:
        """Quit without asking at the second time within three seconds."""
        now = time.monotonic()
        if now - self._interrupted_at <= TWICE_WITHIN:
            self.exit()
            return
        self._interrupted_at = now
        ends = "; replication stops with it" if question_before_quitting(self.state) else ""
        self.notify(
            f"Press ctrl+c again to leave the console{ends}.",
            severity="warning",
            timeout=TWICE_WITHIN,
        )
