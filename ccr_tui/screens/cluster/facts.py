"""What is said of a cluster and of each of its parts."""

from __future__ import annotations

from typing import Any

from ccr_tui import formats
from ccr_tui.screens.cluster.columns import quota_value, size
from ccr_tui.widgets.facts import Fact, reason_facts
from ccr_tui.widgets.table.columns import Tone
from engine.api.cluster_snapshots import (
    BrokerRow,
    ClusterDetail,
    GroupRow,
    QuotaRow,
    Section,
    TopicRow,
)
from engine.kafka.releases import or_newer

EMPTY = {
    Section.BROKERS: "The cluster tells of no broker.",
    Section.TOPICS: "No topic is visible to us; I shows Kafka's internal ones.",
    Section.GROUPS: "No consumer group is visible to us.",
    Section.QUOTAS: "No quota is set that could concern us.",
}


def tabs(answer: ClusterDetail, shown: Section, *, with_internal: bool) -> Fact:
    """Name the parts with how many rows each has; the one that is shown stands out."""
    counts = {
        Section.BROKERS: len(answer.brokers),
        Section.TOPICS: sum(with_internal or not row.internal for row in answer.topics),
        Section.GROUPS: len(answer.groups),
        Section.QUOTAS: len(answer.quotas),
    }
    fact = []
    for part, number in counts.items():
        told = "?" if answer.why_not(part) else f"{number:,}"
        words = f"[{part} {told}]" if part is shown else f" {part} {told} "
        fact.append((f"{words} ", Tone.STRONG if part is shown else Tone.DIM))
    return fact


def summary(answer: ClusterDetail) -> list[Fact]:
    """Say what holds for the whole cluster, and what could not be had."""
    release = or_newer(answer.kafka) if answer.kafka else formats.UNKNOWN
    facts: list[Fact] = [
        [(f"Kafka {release}, id {answer.cluster_id}, {_controllers(answer)}", Tone.PLAIN)]
    ]
    offline = sum(row.offline for row in answer.topics)
    under = sum(row.under_replicated for row in answer.topics)
    if offline or under:
        facts.append(
            [
                (f"{formats.plural(offline, 'partition')} offline", _tone(offline, Tone.BAD)),
                (f"  {under:,} under-replicated", _tone(under, Tone.WARN)),
            ]
        )
    if answer.untold:
        facts.append(_untold(answer))
    return facts


def _untold(answer: ClusterDetail) -> Fact:
    """Say in one line what is missing and what would help: the table needs the room."""
    parts = ", ".join(each.section.value for each in answer.untold)
    reasons = (each.reason for each in answer.untold)
    helps = dict.fromkeys(reason.next_step or reason.text for reason in reasons)
    words = "; ".join(formats.one_line(each) for each in helps)
    return [(f"Not told: {parts}. ", Tone.WARN), (words, Tone.PLAIN)]


def _tone(number: int, bad: Tone) -> Tone:
    return bad if number else Tone.DIM


def _controllers(answer: ClusterDetail) -> str:
    quorum = answer.quorum
    if quorum is not None:
        voters = ", ".join(map(str, quorum.voters))
        return f"controller {quorum.leader} (voters {voters})"
    if answer.controller is not None:
        return f"controller {answer.controller}"
    return "controller not told"


def described(row: Any, answer: ClusterDetail | None) -> tuple[str, list[Fact]]:
    """Return heading and facts of a row of any part."""
    match row:
        case BrokerRow():
            return f"Broker {row.id}", _broker(row)
        case TopicRow():
            return formats.one_line(row.name), _topic(row)
        case GroupRow():
            return formats.one_line(row.name), _group(row)
        case _:
            return row.key, _quota(row)


def _broker(row: BrokerRow) -> list[Fact]:
    where = f"{row.address}{f', rack {row.rack}' if row.rack else ''}"
    role = "  it leads the controllers" if row.controller else ""
    return [
        *reason_facts(row.problem, Tone.BAD),
        [("At    ", Tone.DIM), (f"{where}{role}", Tone.PLAIN)],
        [
            ("Has   ", Tone.DIM),
            (
                f"leads {formats.plural(row.leads, 'partition')}, logs {size(row.bytes)[0]}",
                Tone.PLAIN,
            ),
        ],
    ]


def _topic(row: TopicRow) -> list[Fact]:
    facts: list[Fact] = [
        [
            ("Has   ", Tone.DIM),
            (f"{formats.plural(row.partitions, 'partition')}", Tone.PLAIN),
            (f", replication factor {row.replication_factor}", Tone.PLAIN),
            (f", {size(row.bytes)[0]} a copy", Tone.PLAIN),
        ]
    ]
    if row.offline:
        text = f"{formats.plural(row.offline, 'partition')} without a leader: no reads, no writes"
        facts.append([("Why   ", Tone.DIM), (text, Tone.BAD)])
    if row.under_replicated:
        text = f"{formats.plural(row.under_replicated, 'partition')} with replicas out of sync"
        facts.append([("Why   ", Tone.DIM), (text, Tone.WARN)])
    return facts


def _group(row: GroupRow) -> list[Fact]:
    members = "members not told" if row.members is None else formats.plural(row.members, "member")
    kind = row.kind or "type not told"
    return [
        [("Is    ", Tone.DIM), (f"{row.state}, {kind}, {members}", Tone.PLAIN)],
        [("At    ", Tone.DIM), (f"coordinator broker {row.coordinator}", Tone.PLAIN)],
    ]


def _quota(row: QuotaRow) -> list[Fact]:
    whom = []
    if row.user is not None:
        whom.append(f"user {formats.one_line(row.user)}" if row.user else "every user")
    if row.client_id is not None:
        client = formats.one_line(row.client_id)
        whom.append(f"client id {client}" if client else "every client id")
    return [
        [("For   ", Tone.DIM), (" with ".join(whom), Tone.PLAIN)],
        [("Limit ", Tone.DIM), (quota_value(row), Tone.STRONG)],
    ]
