"""The help of the field in focus, always in the same place."""

from __future__ import annotations

from ccr_tui.symbols import Symbols
from ccr_tui.widgets.details import DetailPanel
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.form.rows import FieldRow
from ccr_tui.widgets.form.specs import Kind
from ccr_tui.widgets.table.columns import Tone

_HOW = {
    Kind.BOOL: "Left and right choose; Backspace goes back to the default.",
    Kind.CHOICE: "Left and right choose, or the first letter; Backspace goes back to the default.",
    Kind.LINES: "One a line.",
    Kind.PAIRS: "One a line, as KEY: VALUE.",
    Kind.PINNED: "One a line, as REGEX: config=value.",
    Kind.SIZE: "A size: 512KiB, 50MiB, 1GiB.",
    Kind.TIME: "A time: 500ms, 5s, 1min, 1h.",
    Kind.SECRET: (
        "Type it into the first line: hidden, and put into the keyring when you save. Leave that"
        " empty when it is there already. No keyring here? Write env:NAME, file:PATH (mode 0600) or"
        " credential:NAME (systemd) into the second line."
    ),
    Kind.START: "earliest, latest, a time such as 2026-11-01T00:00:00Z, or an offset.",
}


class FieldHelp(DetailPanel):
    """What a field means, how it is filled in, its default, and what is wrong with it in full."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols, id="field-help")

    def show_field(self, row: FieldRow) -> None:
        """Explain a field."""
        spec = row.spec
        facts: list[Fact] = [[(line, Tone.BAD)] for line in row.problem.splitlines()]
        facts.append([(spec.help, Tone.PLAIN)])
        how = _HOW.get(spec.kind, "")
        default = f"Default: {spec.default}." if spec.default else ""
        must = spec.required or default or spec.kind is Kind.SECRET
        optional = "" if must else "May be left empty."
        facts.append([(" ".join(filter(None, (how, default, optional))), Tone.DIM)])
        self.show(spec.key, facts, "Tab: next")
