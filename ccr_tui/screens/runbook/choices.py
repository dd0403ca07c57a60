"""What an operator may choose before a runbook, a key each; the rest is as configured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccr_tui.screens.runbook.told import View
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.runbook_snapshots import RunOptions
from engine.config.switch_section import FenceKind, VerifyExtent

CHOICES: dict[str, tuple[Any, ...]] = {
    "fence": (None, *(each.value for each in FenceKind)),
    "verify": (None, *(each.value for each in VerifyExtent)),
    "reverse": (None, True, False),
    "mode": (None, "reinject", "keep-aside", "discard"),
}
_OF = {
    View.PROMOTE: ("fence", "verify", "reverse"),
    View.FAILBACK: ("mode",),
    View.REHEARSAL: ("fence",),
}
_WORDS = {
    "fence": ("Fence", "f"),
    "verify": ("compare", "v"),
    "reverse": ("flow back", "w"),
    "mode": ("What never arrived", "a"),
}
_UNCHOSEN = {"mode": "keep-aside"}


class Choices:
    """What was chosen for each kind of runbook, on this screen."""

    def __init__(self) -> None:
        self._options: dict[View, RunOptions] = {}

    def of(self, view: View) -> RunOptions:
        """Return what was chosen for a plan."""
        return self._options.get(view, RunOptions())

    def next(self, view: View, name: str) -> bool:
        """Choose the next value of an option; False where the plan does not have it."""
        if name not in _OF.get(view, ()):
            return False
        values = CHOICES[name]
        options = self.of(view)
        following = (values.index(getattr(options, name)) + 1) % len(values)
        self._options[view] = replace(options, **{name: values[following]})
        return True

    def told(self, view: View) -> list[Fact]:
        """Say what is chosen, and by which keys that changes."""
        names = _OF.get(view, ())
        if not names:
            return []
        options = self.of(view)
        cells: list[Cell] = [("Choose ", Tone.DIM)]
        for name in names:
            words, key = _WORDS[name]
            value = getattr(options, name)
            said = _UNCHOSEN.get(name, "by config") if value is None else _said(value)
            cells += [(f"{words}: ", Tone.PLAIN), (said, Tone.STRONG), (f" ({key})  ", Tone.DIM)]
        return [cells]


def _said(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value))
