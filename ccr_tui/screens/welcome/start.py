"""The first screen: why one is here, and the ways on."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ccr_tui.actions import key_name
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.welcome.actions import START
from ccr_tui.screens.welcome.base import Host, WelcomeScreen
from ccr_tui.screens.welcome.choices import Choice, RunDemo, choices
from ccr_tui.screens.welcome.files import ImportScreen, OpenScreen
from ccr_tui.screens.welcome.new import NewScreen
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.table.columns import Tone


class StartScreen(WelcomeScreen):
    """Four ways on."""

    TITLE_TEXT = "welcome"
    KEYS = (("enter", "Choose"), ("welcome.quit", "Quit"))
    BINDINGS = REGISTRY.bindings(START)

    def __init__(self, host: Host, why: str) -> None:
        super().__init__(host)
        self._why = why
        self._choices = tuple(choices(read_only=host.read_only))
        self._list = OptionList(
            *(Option(self._line(index, 0)) for index in range(len(self._choices))),
            id="ways",
            markup=False,
            compact=True,
        )
        self._text = FactsView()

    def compose_body(self) -> ComposeResult:
        """Why, the ways, what the chosen one does."""
        yield Static(self._why, markup=False, id="why")
        yield self._list
        with VerticalScroll(can_focus=False, id="way"):
            yield self._text

    def _line(self, index: int, chosen: int) -> str:
        mark = self.host.symbols.cursor if index == chosen else " "
        key = key_name(REGISTRY[f"welcome.{index + 1}"].keys[0])
        return f"{mark}{key}  {self._choices[index].title}"

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        chosen = event.option_index
        self._text.show(_facts(self._choices[chosen]))
        for index in range(len(self._choices)):
            self._list.replace_option_prompt_at_index(index, self._line(index, chosen))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_index)

    def do_down(self) -> None:
        """Go down."""
        self._list.action_cursor_down()

    def do_up(self) -> None:
        """Go up."""
        self._list.action_cursor_up()

    def do_choose(self, index: str) -> None:
        """Go a way, or say why not."""
        self._choose(int(index))

    def _choose(self, index: int) -> None:
        self._list.highlighted = index
        choice = self._choices[index]
        if choice.why_not:
            self.notify(f"Not now: {choice.why_not}.", severity="warning", markup=False)
        elif choice.id == "demo":
            self.host.go_on(RunDemo())
        else:
            kind = {"import": ImportScreen, "new": NewScreen, "open": OpenScreen}[choice.id]
            self.app.push_screen(kind(self.host))

    def do_back(self) -> None:
        """Stay: there is nothing before this."""

    def do_quit(self) -> None:
        """Leave ccr."""
        self.app.exit()


def _facts(choice: Choice) -> list[Fact]:
    facts: list[Fact] = [[(choice.text, Tone.PLAIN)], [("", Tone.PLAIN)]]
    facts.append([("From a shell  ", Tone.DIM), (choice.command, Tone.STRONG)])
    if choice.why_not:
        facts.append([("Not now  ", Tone.DIM), (choice.why_not, Tone.WARN)])
    return facts
