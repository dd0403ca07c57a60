"""The columns of what a cluster has: brokers, topics, groups, quotas."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from engine.api.cluster_snapshots import BrokerRow, GroupRow, QuotaRow, TopicRow


def broker_columns(symbols: Symbols) -> tuple[Column[BrokerRow], ...]:
    """Return the brokers' columns."""

    def state(row: BrokerRow) -> Cell:
        if row.problem is not None:
            return f"{symbols.states['stopped']} away", Tone.BAD
        return f"{symbols.states['running']} reached", Tone.GOOD

    return (
        Column("id", "BROKER", _broker, 6, 0, right=True, sort=lambda row: row.id),
        Column(
            "state",
            "STATE",
            state,
            9,
            1,
            sort=lambda row: float(row.problem is not None),
            falling=True,
        ),
        Column("address", "ADDRESS", lambda row: (row.address, Tone.PLAIN), 20, 2, grow=2, most=60),
        Column("rack", "RACK", lambda row: (row.rack, Tone.PLAIN), 8, 5),
        Column(
            "leads",
            "LEADS",
            lambda row: (f"{row.leads:,}", Tone.PLAIN),
            6,
            3,
            right=True,
            sort=lambda row: float(row.leads),
            falling=True,
        ),
        Column("bytes", "LOGS", lambda row: size(row.bytes), 10, 4, right=True, sort=_by_bytes),
        Column("role", "ROLE", _role, 10, 6),
        Column("reason", "REASON", _reason, 30, 7, grow=2),
    )


def topic_columns(symbols: Symbols) -> tuple[Column[TopicRow], ...]:
    """Return the topics' columns."""

    def state(row: TopicRow) -> Cell:
        if row.offline:
            return f"{symbols.states['stopped']} {row.offline:,} offline", Tone.BAD
        if row.under_replicated:
            return f"{symbols.states['waiting']} {row.under_replicated:,} under", Tone.WARN
        return f"{symbols.states['running']} in sync", Tone.GOOD

    return (
        Column("topic", "TOPIC", _topic, 20, 0, grow=3, most=80, sort=lambda row: row.name),
        Column("state", "REPLICAS", state, 13, 1, sort=topic_concern, falling=True),
        Column(
            "partitions",
            "PART",
            lambda row: (f"{row.partitions:,}", Tone.PLAIN),
            6,
            2,
            right=True,
            sort=lambda row: float(row.partitions),
            falling=True,
        ),
        Column(
            "factor", "RF", lambda row: (str(row.replication_factor), Tone.PLAIN), 3, 4, right=True
        ),
        Column(
            "bytes",
            "BYTES",
            lambda row: size(row.bytes),
            10,
            3,
            right=True,
            sort=_by_bytes,
            falling=True,
        ),
        Column("kind", "", lambda row: ("internal" if row.internal else "", Tone.DIM), 8, 5),
    )


def group_columns() -> tuple[Column[GroupRow], ...]:
    """Return the groups' columns."""
    return (
        Column(
            "group",
            "GROUP",
            lambda row: (formats.one_line(row.name), Tone.STRONG),
            20,
            0,
            grow=3,
            most=80,
            sort=lambda row: row.name,
        ),
        Column("state", "STATE", lambda row: (row.state, Tone.PLAIN), 20, 1, sort=_by_state),
        Column("kind", "TYPE", lambda row: (row.kind or formats.UNKNOWN, Tone.PLAIN), 9, 3),
        Column(
            "members",
            "MEMBERS",
            lambda row: (formats.count(row.members), Tone.PLAIN),
            7,
            2,
            right=True,
            sort=lambda row: -1.0 if row.members is None else float(row.members),
            falling=True,
        ),
        Column(
            "coordinator",
            "COORDINATOR",
            lambda row: (str(row.coordinator), Tone.DIM),
            11,
            4,
            right=True,
        ),
    )


def quota_columns() -> tuple[Column[QuotaRow], ...]:
    """Return the quotas' columns."""
    return (
        Column("user", "USER", lambda row: (_entity(row.user), Tone.STRONG), 16, 0, grow=1),
        Column(
            "client", "CLIENT ID", lambda row: (_entity(row.client_id), Tone.PLAIN), 16, 1, grow=1
        ),
        Column("key", "QUOTA", lambda row: (row.key, Tone.PLAIN), 24, 2, sort=lambda row: row.key),
        Column("value", "LIMIT", lambda row: (quota_value(row), Tone.PLAIN), 14, 3, right=True),
    )


def size(value: int | None) -> Cell:
    """Write bytes, or that they are not known."""
    return (formats.UNKNOWN, Tone.DIM) if value is None else (formats.size(value), Tone.PLAIN)


def quota_value(row: QuotaRow) -> str:
    """Write a quota with its unit, where Kafka's name of it tells one."""
    if row.key.endswith("_byte_rate"):
        return f"{formats.size(row.value)}/s"
    return f"{row.value:g}%" if row.key.endswith("_percentage") else f"{row.value:g}"


def topic_concern(row: TopicRow) -> float:
    """Rank topics: those with partitions offline, then those under-replicated."""
    return row.offline * 1e6 + row.under_replicated


def _entity(name: str | None) -> str:
    return "any" if name is None else formats.one_line(name) or "default of all"


def _broker(row: BrokerRow) -> Cell:
    return str(row.id), Tone.STRONG


def _role(row: BrokerRow) -> Cell:
    return ("controller" if row.controller else "", Tone.PLAIN)


def _reason(row: BrokerRow) -> Cell:
    return (formats.one_line(row.problem.text), Tone.PLAIN) if row.problem else ("", Tone.PLAIN)


def _topic(row: TopicRow) -> Cell:
    return formats.one_line(row.name), Tone.DIM if row.internal else Tone.STRONG


def _factor(row: TopicRow) -> Cell:
    return str(row.replication_factor), Tone.PLAIN


def _client(row: QuotaRow) -> Cell:
    return _entity(row.client_id), Tone.PLAIN


def _by_bytes(row: BrokerRow | TopicRow) -> float:
    return -1.0 if row.bytes is None else float(row.bytes)


def _by_state(row: GroupRow) -> str:
    return row.state
