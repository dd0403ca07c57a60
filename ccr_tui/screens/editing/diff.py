"""Shows what saving would change, in the file and in the running engine, before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Tone
from engine.api.config_snapshots import Effect, EffectKind, Proposal
from engine.printable import printable

_SAID = {
    EffectKind.START: "starts",
    EffectKind.CHANGE: "changes while it runs",
    EffectKind.RESTART: "restarts: drained, then started again where it was",
    EffectKind.STOP: "stops: drained first, its mirrors stay",
}


def proposal_facts(proposal: Proposal, stored: Sequence[str] = ()) -> list[Fact]:
    """Say what a proposal does; `stored` are keyring entries that are written, too."""
    facts = [_effect(each) for each in proposal.effects if each.kind is not EffectKind.NOTHING]
    facts = facts or [[("The running engine goes on as it is.", Tone.PLAIN)]]
    facts += [[(f"The secret that you typed goes to {entry}.", Tone.PLAIN)] for entry in stored]
    for warning in proposal.warnings:
        facts.append([(f"Warning: {warning.key}: ", Tone.WARN), (warning.text, Tone.PLAIN)])
    if proposal.diff:
        facts += [[("", Tone.PLAIN)], *diff_facts(proposal.diff.splitlines())]
    return facts


def diff_facts(lines: Iterable[str]) -> list[Fact]:
    """Tone a unified diff; the sign at the start of a line says it without colour."""
    return [[(printable(line) or " ", _tone(line))] for line in lines]


def _tone(line: str) -> Tone:
    if line.startswith(("---", "+++", "@@")):
        return Tone.DIM
    return {"+": Tone.GOOD, "-": Tone.BAD}.get(line[:1], Tone.PLAIN)


def _effect(effect: Effect) -> Fact:
    tone = Tone.WARN if effect.kind.interrupts else Tone.STRONG
    why = f"  ({effect.why})" if effect.why else ""
    what = f"{effect.subject} {effect.name} "
    return [(what, Tone.PLAIN), (_SAID[effect.kind], tone), (printable(why), Tone.DIM)]
