"""`ccr preview`: what a flow does with each topic of its source, and why."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.acl_preview import acl_lines
from ccr_tui.cli.tables import Row, indented, table
from engine.api.preview_snapshots import (
    Action,
    ConfigChange,
    Decision,
    PreviewSnapshot,
    Rule,
    TopicPlan,
    TopicPreview,
    ValueFrom,
)
from engine.errors import ConfigError, ExitCode
from engine.service import wording

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.config.flow_section import TopicSelection

_NAMES = 12  # of the topics that a rule leaves out; --all shows them all
_LEFT_OUT = {
    Rule.INTERNAL: "internal, and not named to the letter",
    Rule.LOOP: "they came from the target",
    Rule.NO_MATCH: "no regex matches",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `preview`."""
    parser = subparsers.add_parser(
        "preview",
        help="what a flow does with each topic, and why",
        description="Show for every topic of a flow's source the rule that decided about it, its "
        "size, and what is created or changed on the target, with every conflict. Asks the engine "
        "that runs this configuration on this host, or else the clusters themselves; changes "
        "nothing. Exit code: 1 a topic cannot be mirrored, or a regex is too slow, 3 a cluster "
        "cannot be reached, else 0.",
    )
    parser.add_argument("flow", metavar="FLOW")
    parser.add_argument(
        "--include",
        metavar="REGEX",
        action="append",
        help="try this instead of topics.include (repeatable)",
    )
    parser.add_argument(
        "--exclude",
        metavar="REGEX",
        action="append",
        help="try this instead of topics.exclude (repeatable)",
    )
    parser.add_argument("--all", action="store_true", help="name every topic that is left out")
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run_preview)


async def run_preview(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    from ccr_tui.cli.reading import ask  # noqa: PLC0415  (slow imports)

    topics = _tried(args)
    preview = await ask(args.config, args.flow, lambda api: api.flows.preview(args.flow, topics))
    if args.json:
        print(json.dumps(preview_json(preview), indent=2, ensure_ascii=False))
    else:
        print("\n".join(preview_lines(preview, everything=args.all)))
    return exit_code(preview)


def _tried(args: argparse.Namespace) -> TopicSelection | None:
    """Return the regexes of the command line, what is left out being the file's."""
    if args.include is None and args.exclude is None:
        return None
    from pydantic import ValidationError  # noqa: PLC0415  (slow imports)

    from engine.config.flow_section import TopicSelection  # noqa: PLC0415
    from engine.config.loader import load  # noqa: PLC0415

    flows = load(Path(args.config)).flows
    own = flows[args.flow].topics if args.flow in flows else TopicSelection()
    given = {
        "include": own.include if args.include is None else args.include,
        "exclude": own.exclude if args.exclude is None else args.exclude,
    }
    try:
        return TopicSelection.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        option, number = f"--{first['loc'][0]}", first["loc"][1]
        pattern = given[str(first["loc"][0])][int(number)]
        cause = first["msg"].removeprefix("Value error, ")
        raise ConfigError("reading the option", f"{option} {pattern}", cause) from None


def exit_code(preview: PreviewSnapshot) -> ExitCode:
    """1: a topic that is taken cannot be mirrored."""
    refused = any(each.plan and each.plan.action == Action.REFUSE for each in preview.topics)
    return ExitCode.FAILED if refused else ExitCode.OK


def preview_json(preview: PreviewSnapshot) -> dict[str, Any]:
    """Return the preview as JSON has it."""
    from engine.service.codec import PREVIEW  # noqa: PLC0415  (slow imports)

    dumped: dict[str, Any] = PREVIEW.dump_python(preview, mode="json")
    return dumped


# text


def preview_lines(preview: PreviewSnapshot, *, everything: bool) -> Iterator[str]:
    """Word a preview in lines of 80 columns, rule by rule."""
    there = [each for each in preview.topics if each.partitions]
    taken = [each for each in there if each.plan is not None]
    yield f"{preview.flow}: {len(taken)} of {len(there)} topics of {preview.source}"
    yield from _totals(taken)
    yield from _alignment(preview)
    for note in preview.notes:
        yield from indented(note)
    by_rule: dict[Decision, list[TopicPreview]] = {}
    for each in preview.topics:
        if each.partitions:
            by_rule.setdefault(each.decision, []).append(each)
    for decision in sorted(by_rule, key=_order):
        yield ""
        yield from _rule_lines(decision, by_rule[decision], everything=everything)
    idle = list(_idle(preview, by_rule))
    if idle:
        yield ""
        yield "decides about no topic"
        for rule in idle:
            yield from indented(rule)
    gone = [each for each in preview.topics if not each.partitions]
    if gone:
        yield ""
        yield "gone from the source"
        for each in gone:
            yield from indented(_gone(each))
    yield ""
    yield "plan"
    yield from indented(_summary([each.plan for each in preview.topics if each.plan is not None]))
    if preview.acls is not None:
        yield ""
        yield from acl_lines(preview.acls, everything=everything)


def _idle(preview: PreviewSnapshot, by_rule: Iterable[Decision]) -> Iterator[str]:
    """Name the regexes that match nothing, or nothing that others had not decided about before."""
    used = {(decision.rule, decision.number) for decision in by_rule}
    for rule, patterns in ((Rule.INCLUDE, preview.include), (Rule.EXCLUDE, preview.exclude)):
        for number, pattern in enumerate(patterns, 1):
            if (rule, number) not in used:
                yield f"{rule} {number}: {pattern}"


def _alignment(preview: PreviewSnapshot) -> Iterator[str]:
    """Say what it costs that new mirrors get their sources' offsets."""
    found = preview.alignment
    if found is None:
        return
    text = "offsets identical: no new mirror has to be aligned"
    if found.partitions:
        farthest = max(found.partitions, key=lambda each: each.start)
        text = (
            f"offsets identical: {wording.count(len(found.partitions))} new partitions are aligned "
            f"first, {wording.size(found.size_bytes)} of fillers in about "
            f"{wording.duration(found.seconds)}; farthest {farthest.topic}/{farthest.partition}, "
            f"at offset {farthest.start:,}"
        )
    if found.not_fresh:
        text += f"; {found.not_fresh} cannot be, their mirrors are not fresh"
    yield from indented(text)


def _totals(taken: Sequence[TopicPreview]) -> Iterator[str]:
    sizes = [each.size for each in taken]
    parts = [f"{wording.count(sum(each.partitions for each in taken))} partitions"]
    known = [size.bytes for size in sizes if size.bytes is not None]
    if sizes and len(known) == len(sizes):
        parts.append(wording.size(sum(known)))
    records = [size.records for size in sizes if size.records is not None]
    parts.append(f"{wording.count(sum(records))} records")
    rates = [size.records_per_second for size in sizes if size.records_per_second is not None]
    parts.append(f"{wording.count(sum(rates))} records/s")
    if taken:
        yield "    " + ", ".join(parts)


def _order(decision: Decision) -> tuple[bool, int, int]:
    return not decision.taken, list(Rule).index(decision.rule), decision.number


def _rule_lines(
    decision: Decision, topics: Sequence[TopicPreview], *, everything: bool
) -> Iterator[str]:
    yield f"{_rule(decision)} ({_plural(len(topics), 'topic')})"
    if decision.taken:
        yield from table(
            ("topic", "Plan", "part", "size", "records", "records/s"),
            [_row(each) for each in topics],
        )
        return
    names = [each.topic for each in topics]
    shown = names if everything else names[:_NAMES]
    rest = len(names) - len(shown)
    more = f", … and {wording.count(rest)} more (--all)" if rest else ""
    yield from indented(", ".join(shown) + more)


def _rule(decision: Decision) -> str:
    side = "taken" if decision.taken else "left out"
    if decision.pattern:
        return f"{side} by {decision.rule} {decision.number}: {decision.pattern}"
    return f"{side}: {_LEFT_OUT.get(decision.rule, decision.rule.value)}"


def _row(each: TopicPreview) -> Row:
    size = each.size
    cells = (
        each.topic,
        each.plan.action.value if each.plan else "",
        str(each.partitions),
        wording.size(size.bytes),
        wording.count(size.records),
        wording.count(size.records_per_second),
    )
    return Row(cells, tuple(_notes(each.plan)) if each.plan else ())


def _notes(plan: TopicPlan) -> Iterator[str]:
    if plan.target_topic != plan.topic:
        yield f"mirror: {plan.target_topic}"
    blocked = plan.blocked
    if blocked is not None:
        yield f"refused: {_sentence(blocked.text, blocked.next_step)}"
    elif plan.action == Action.CREATE:
        replicas = _plural(plan.replication_factor, "replica")
        values = ", ".join(map(_value, plan.configs))
        yield f"with {replicas}" + (f"; {values}" if values else "")
    elif plan.action == Action.GROW:
        yield f"from {plan.mirror_partitions} to {plan.partitions} partitions"
    if plan.mirror_partitions:
        yield from map(_change, plan.configs)
    for kept in plan.kept:
        here = "was removed" if kept.value is None else f"was set to {kept.value}"
        source = "nothing" if kept.wanted is None else kept.wanted
        yield f"{kept.name} {here} on the mirror, the source has {source}: left alone"
    for conflict in plan.conflicts:
        if not conflict.blocks:
            yield f"conflict: {_sentence(conflict.text, conflict.next_step)}"


def _sentence(text: str, next_step: str) -> str:
    return f"{text}. {next_step}" if next_step else text


_ORIGINS = {
    ValueFrom.SOURCE: "",
    ValueFrom.PINNED: " (pinned)",
    ValueFrom.CAPPED: " (as many as it has replicas)",
}


def _value(change: ConfigChange) -> str:
    return f"{change.name}={change.after}{_ORIGINS[change.origin]}"


def _change(change: ConfigChange) -> str:
    before = "default" if change.before is None else change.before
    after = "default" if change.after is None else change.after
    return f"{change.name}: {before} → {after}{_ORIGINS[change.origin]}"


def _gone(each: TopicPreview) -> str:
    mirror = each.plan.target_topic if each.plan else each.topic
    deletes = each.plan is not None and each.plan.action == Action.DELETE
    fate = "is deleted (sync.deletions)" if deletes else "is kept"
    return f"{each.topic}: its mirror {mirror} {fate}"


def _summary(plans: Sequence[TopicPlan]) -> str:
    counts = Counter(plan.action for plan in plans)
    created = sum(plan.partitions for plan in plans if plan.action == Action.CREATE)
    words = {
        Action.CREATE: f"create {counts[Action.CREATE]} ({_plural(created, 'partition')})",
        Action.GROW: f"grow {counts[Action.GROW]}",
        Action.CONFIGURE: f"configure {counts[Action.CONFIGURE]}",
        Action.NONE: f"in step {counts[Action.NONE]}",
        Action.KEEP: f"keep {counts[Action.KEEP]}",
        Action.DELETE: f"delete {counts[Action.DELETE]}",
        Action.REFUSE: f"refuse {counts[Action.REFUSE]}",
    }
    present = [text for action, text in words.items() if counts[action]]
    conflicts = sum(bool(plan.conflicts) for plan in plans)
    if conflicts:
        present.append(f"conflicts in {conflicts}")
    return ", ".join(present) or "nothing to do"


def _plural(number: int, noun: str) -> str:
    return f"{wording.count(number)} {noun}{'s' * (number != 1)}"
