"""How the topics of the editor look in a table, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ccr_tui import formats
from ccr_tui.screens.flow_editor.topics import Change, TopicRow
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.preview_snapshots import Action, Conflict, Rule, TopicPlan
from engine.printable import printable

_RULES = {
    Rule.INTERNAL: "internal: only when named in full",
    Rule.HEARTBEATS: "MirrorMaker 2's heartbeats",
    Rule.LOOP: "came from the target: a loop",
    Rule.NO_MATCH: "no include matches",
}


def topic_columns() -> list[Column[TopicRow]]:
    """Make the columns."""
    return [
        Column("topic", "topic", _topic, 24, 0, grow=2, most=60),
        Column("decision", "is", _decision, 8, 1),
        Column("change", "on saving", _change, 9, 2),
        Column("rule", "by", _rule, 22, 3, grow=1, most=44),
        Column("action", "mirror", _action, 9, 4),
        Column("partitions", "parts", _partitions, 5, 5, right=True),
        Column("size", "size", _size, 9, 6, right=True),
        Column("rate", "records/s", _rate, 9, 8, right=True),
        Column("mirror", "called there", _mirror, 18, 7, grow=1, most=60),
    ]


def _topic(row: TopicRow) -> Cell:
    return printable(row.topic), Tone.PLAIN if row.decision.taken else Tone.DIM


def _decision(row: TopicRow) -> Cell:
    if row.decision.taken:
        return "taken", Tone.GOOD
    return ("excluded" if row.decision.rule is Rule.EXCLUDE else "left out"), Tone.DIM


def _change(row: TopicRow) -> Cell:
    tone = {Change.STARTS: Tone.STRONG, Change.ENDS: Tone.WARN}.get(row.change, Tone.PLAIN)
    return row.change.value, tone


def rule_text(row: TopicRow) -> str:
    """Say what decided, with the line and the text of a regex."""
    decision = row.decision
    if decision.pattern:
        return f"{decision.rule.value} {decision.number}: {decision.pattern}"
    return _RULES.get(decision.rule, decision.rule.value)


def _rule(row: TopicRow) -> Cell:
    return printable(rule_text(row)), Tone.DIM


def _action(row: TopicRow) -> Cell:
    plan = row.plan
    if plan is None:
        return "", Tone.PLAIN
    if plan.blocked:
        return "BLOCKED", Tone.BAD
    if plan.conflicts:
        return "warning", Tone.WARN
    return plan.action.value, Tone.PLAIN if plan.action is Action.NONE else Tone.STRONG


def _partitions(row: TopicRow) -> Cell:
    return str(row.partitions), Tone.DIM


def _size(row: TopicRow) -> Cell:
    size = row.size.bytes if row.size is not None else None
    return ("" if size is None else formats.size(size)), Tone.PLAIN


def _rate(row: TopicRow) -> Cell:
    rate = row.size.records_per_second if row.size is not None else None
    return ("" if rate is None else formats.rate(rate)), Tone.PLAIN


def _mirror(row: TopicRow) -> Cell:
    return printable(row.mirror), Tone.DIM if row.mirror == row.topic else Tone.STRONG


def topic_facts(
    row: TopicRow, target: str, symbols: Symbols, notes: Iterable[str] = ()
) -> list[Fact]:
    """Say everything about one topic; `notes` are what could not be looked at."""
    word, _ = _decision(row)
    why = f"{word} by {rule_text(row)}" if row.decision.pattern else f"{word}: {rule_text(row)}"
    changes = f"  ({row.change.value} when saved)" if row.change is not Change.NONE else ""
    facts: list[Fact] = [
        [("Why   ", Tone.DIM), (printable(why), Tone.PLAIN), (changes, Tone.STRONG)]
    ]
    if row.plan is not None:
        facts += [fact for each in row.plan.conflicts for fact in _conflict_facts(each)]
    if row.mirror:
        there = f"{row.topic} {symbols.arrow} {row.mirror} on {target or 'the target'}"
        facts.append([("Name  ", Tone.DIM), (printable(there), Tone.PLAIN)])
    if row.size is not None:
        facts.append([("Size  ", Tone.DIM), (_size_text(row), Tone.PLAIN)])
    if row.plan is not None:
        facts.append([("Does  ", Tone.DIM), (_plan_text(row.plan), Tone.PLAIN)])
    facts += [[("Note  ", Tone.DIM), (printable(note), Tone.WARN)] for note in notes]
    return facts


def _size_text(row: TopicRow) -> str:
    size = row.size
    parts = [formats.plural(row.partitions, "partition")]
    if size is not None:
        if size.bytes is not None:
            parts.append(f"{formats.size(size.bytes)} on disk")
        if size.records is not None:
            parts.append(f"{formats.count(size.records)} records")
        if size.records_per_second is not None:
            parts.append(f"{formats.rate(size.records_per_second)} records/s")
    return ", ".join(parts)


def _plan_text(plan: TopicPlan) -> str:
    match plan.action:
        case Action.CREATE:
            what = (
                f"create with {formats.plural(plan.partitions, 'partition')}, "
                f"replication factor {plan.replication_factor}"
            )
        case Action.GROW:
            what = f"grow from {plan.mirror_partitions} to {plan.partitions} partitions"
        case Action.NONE:
            what = "nothing: the mirror is in step"
        case Action.REFUSE:
            what = "nothing: it is refused"
        case _:
            what = plan.action.value
    set_there = ", ".join(f"{each.name}={each.after}" for each in plan.configs)
    return printable(f"{what}; sets {set_there}" if set_there else what)


def _conflict_facts(conflict: Conflict) -> Iterator[Fact]:
    word, tone = ("Blocks ", Tone.BAD) if conflict.blocks else ("Warns ", Tone.WARN)
    yield [(word, tone), (printable(f"{conflict.kind.value}: {conflict.text}"), Tone.PLAIN)]
    if conflict.next_step:
        yield [("Next  ", Tone.DIM), (printable(conflict.next_step), Tone.STRONG)]
