"""What every dialog has: keys from the registry, and a size for little room."""

from __future__ import annotations

from typing import Generic

from textual.binding import Binding, BindingsMap
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import OptionList

from ccr_tui.actions import is_text, key_name
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.dialogs.actions import DIALOG

_CLOSE = "act('dialog.close')"


class Dialog(ModalScreen[ScreenResultType], Generic[ScreenResultType]):
    """In front of a screen. Subclasses say with what it is closed, and have `do_<method>`s."""

    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012 - Textual's
    # Without priority: what is typed into a field is text first.
    BINDINGS = REGISTRY.bindings(DIALOG, priority=False)

    def __init__(self, *, opened_by: str = "", classes: str = "") -> None:
        """`opened_by` is an action whose keys close it again."""
        super().__init__(classes=classes)
        REGISTRY.rebind(self)
        closing = [Binding(key, _CLOSE) for key in REGISTRY[opened_by].keys] if opened_by else []
        # What comes after it is for the screen behind, so it must not queue at a widget of this.
        keys = [key for key in REGISTRY["dialog.close"].keys if not is_text(key)]
        closing += [Binding(key, _CLOSE, priority=True) for key in keys]
        bound = [each for same in self._bindings.key_to_bindings.values() for each in same]
        self._bindings = BindingsMap([*bound, *closing])  # not `bind`: its lists are the class's

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys for which there is nothing to do here to others."""
        if action != "act":
            return super().check_action(action, parameters)
        return hasattr(self, f"do_{REGISTRY[str(parameters[0])].method}")

    def action_act(self, action_id: str) -> None:
        """Perform an action of the registry."""
        getattr(self, f"do_{REGISTRY[action_id].method}")()

    def do_close(self) -> None:
        """Close, and change nothing."""
        self.dismiss(None)


class ScrolledDialog(Dialog[ScreenResultType]):
    """With a text that may be longer than there is room."""

    LINES = 1
    """By which a key scrolls."""

    @property
    def _scroll(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def do_down(self) -> None:
        """Scroll on."""
        self._scroll.scroll_relative(y=self.LINES, animate=False)

    def do_up(self) -> None:
        """Scroll back."""
        self._scroll.scroll_relative(y=-self.LINES, animate=False)

    def do_page_down(self) -> None:
        """Scroll a page on."""
        self._scroll.scroll_page_down(animate=False)

    def do_page_up(self) -> None:
        """Scroll a page back."""
        self._scroll.scroll_page_up(animate=False)


class ButtonsDialog(Dialog[ScreenResultType]):
    """With buttons beside each other."""

    def do_left(self) -> None:
        """Go to what is left of it."""
        self.focus_previous()

    def do_right(self) -> None:
        """Go to what is right of it."""
        self.focus_next()


class ListDialog(Dialog[ScreenResultType]):
    """With a list to choose from."""

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def do_down(self) -> None:
        """Go down."""
        self._list.action_cursor_down()

    def do_up(self) -> None:
        """Go up."""
        self._list.action_cursor_up()


def key_of(action_id: str) -> str:
    """Write the key of an action as people read it."""
    return key_name(REGISTRY[action_id].keys[0])
