"""The bottom line: the few keys that matter here; the rest is in the help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ccr_tui.actions import Action, ActionContext, key_name
from ccr_tui.widgets.oneline import OneLine, Piece


class FooterLine(OneLine):
    """Keys with their names; what cannot be done now is dimmed, what does not fit is left out."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--disabled"}

    def show_actions(self, actions: Iterable[Action], context: ActionContext) -> None:
        """Show the actions that belong into the footer, by rank."""
        items = [
            (action, action.why_disabled(context) is None)
            for action in sorted(actions, key=lambda action: action.footer_rank)
            if action.label and action.applies(context)
        ]
        shown = [(action, on) for action, on in items if on or not action.footer_only_enabled]
        self.show(_pieces(_that_fit(shown, self.size.width)))


def _width(action: Action) -> int:
    return len(key_name(action.keys[0])) + 1 + len(action.label) + 3


def _that_fit(items: list[tuple[Action, bool]], width: int) -> list[tuple[Action, bool]]:
    kept = list(items)
    while sum(_width(action) for action, _ in kept) > width:
        kept.remove(min(kept, key=lambda item: item[0].footer_keep))
    return kept


def _pieces(items: list[tuple[Action, bool]]) -> list[Piece]:
    pieces: list[Piece] = []
    for action, enabled in items:
        key = key_name(action.keys[0])
        pieces.append((f" {key}", "footer--key" if enabled else "footer--disabled"))
        pieces.append((f" {action.label} ", "" if enabled else "footer--disabled"))
    return pieces
