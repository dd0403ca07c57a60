"""What there is to say about a flow, a partition or an event: most important first."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.actions import ActionContext, key_name
from ccr_tui.catalog import REGISTRY
from ccr_tui.missing_secrets import wanted_secrets
from ccr_tui.screens.overtaking import flow_overtaking_facts
from ccr_tui.screens.tones import FLOW_TONES, PARTITION_TONES, SEVERITY_TONES, TREND_TONES
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.syncs import sync_lines
from ccr_tui.widgets.facts import Fact, reason_facts
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.snapshots import Event, FlowSnapshot, PartitionSnapshot, SyncState
from engine.service import wording

_SPARK = 24
LONG_UNSEEN = 30.0
"""Seconds: engines look at a flow's topics every 5 s unless told otherwise."""


def flow_facts(flow: FlowSnapshot, state: ConsoleState, now: float, symbols: Symbols) -> list[Fact]:
    """Describe a flow."""
    facts: list[Fact] = [_flow_state(flow, symbols)]
    since = _reason_age(flow.reason.since if flow.reason else 0.0, state, now)
    facts += reason_facts(flow.reason, FLOW_TONES[flow.state], since)
    facts += _missing_secrets(flow, state)
    facts += flow_overtaking_facts(flow, state, now)
    facts.append(_lag_fact(flow, symbols))
    facts.append(_rate_fact(flow, symbols))
    facts += _both_ways_facts(flow)
    facts += _verify_facts(flow)
    facts += _sync_facts(flow)
    if flow.offsets is not None:
        tone = Tone.WARN if flow.offsets.differs else Tone.PLAIN
        facts.append([("Offset", Tone.DIM), (f" {flow.offsets}", tone)])
    facts.append(_owner_fact(flow, state, now))
    if flow.rehearsed is not None and state.snapshot is not None:
        text = wording.rehearsed(flow.rehearsed, state.snapshot.taken_at)
        facts.append([("Switch", Tone.DIM), (f" {text.removeprefix('switch ')}",
                     Tone.PLAIN if flow.rehearsed.good else Tone.WARN)])  # fmt: skip
    old = formats.age(state.observed_ago(flow.observed_at, now))
    total = f"{formats.count(flow.records_total, 20)} records, {formats.size(flow.bytes_total)}"
    facts.append(
        [("Total ", Tone.DIM), (total, Tone.PLAIN), (" since this engine started", Tone.DIM)]
    )
    facts.append([("Data  ", Tone.DIM), (f"{old} old", age_tone(flow, state, now))])
    return facts


def _missing_secrets(flow: FlowSnapshot, state: ConsoleState) -> list[Fact]:
    missing = [
        str(wanted) for wanted in wanted_secrets(ActionContext(state, flow)) if wanted.missing
    ]
    if not missing or state.read_only:
        return []
    key = key_name(REGISTRY["secret.give"].keys[0])
    text = f"or give {' and '.join(missing)} here, for the engine's memory only: {key}"
    return [[("      ", Tone.DIM), (text, Tone.STRONG)]]


def age_tone(flow: FlowSnapshot, state: ConsoleState, now: float) -> Tone:
    """Return how serious the age of the engine's own view of a flow is."""
    age = state.observed_ago(flow.observed_at, now)
    return Tone.WARN if age is None or age >= LONG_UNSEEN else Tone.PLAIN


def _flow_state(flow: FlowSnapshot, symbols: Symbols) -> Fact:
    fact: list[Cell] = [
        ("State ", Tone.DIM),
        (symbols.state(flow.state), FLOW_TONES[flow.state]),
        (f"  {flow.source} {symbols.arrow} {flow.target}", Tone.PLAIN),
        (f"  {formats.plural(flow.topics, 'topic')}", Tone.PLAIN),
        (f", {formats.plural(flow.partitions, 'partition')}", Tone.PLAIN),
    ]
    if flow.partitions_stopped:
        fact.append((f"  {symbols.stuck} {flow.partitions_stopped:,} stopped", Tone.BAD))
    if flow.partitions_waiting:
        fact.append((f"  {flow.partitions_waiting:,} waiting", Tone.WARN))
    return fact


def _lag_fact(flow: FlowSnapshot, symbols: Symbols) -> Fact:
    """Draw the flow's lag over the last two minutes."""
    spark = formats.sparkline([point.lag_records for point in flow.history], _SPARK, symbols.ramp)
    return [
        ("Lag   ", Tone.DIM),
        (f"{spark} " if spark else "", Tone.PLAIN),
        (f"{formats.count(flow.lag_records, 20)} records", Tone.PLAIN),
        (f", {formats.seconds(flow.lag_seconds)} behind", Tone.PLAIN),
    ]


def _rate_fact(flow: FlowSnapshot, symbols: Symbols) -> Fact:
    """Draw the flow's throughput over the last two minutes."""
    spark = formats.sparkline(
        [point.records_per_second for point in flow.history], _SPARK, symbols.ramp
    )
    limit = flow.limit_bytes_per_second
    return [
        ("Rate  ", Tone.DIM),
        (f"{spark} " if spark else "", Tone.PLAIN),
        (f"{formats.rate(flow.records_per_second)} records/s", Tone.PLAIN),
        (f", {formats.size(flow.bytes_per_second)}/s", Tone.PLAIN),
        (f", limited to {formats.size(limit)}/s" if limit else "", Tone.WARN),
        (", topics limited" if flow.topic_limits else "", Tone.WARN),
    ]


def _verify_facts(flow: FlowSnapshot) -> list[Fact]:
    """Tell what comparing the mirrors has found, if the engine does it."""
    found = flow.verification
    if found is None:
        return []
    compared = f"{formats.count(found.compared, 20)} records compared"
    wrong = f", {found.wrong:,} wrong: {found.last_wrong}" if found.wrong else ", none wrong"
    return [
        [
            ("Verify", Tone.DIM),
            (f" {compared}", Tone.PLAIN),
            (wrong, Tone.BAD if found.wrong else Tone.PLAIN),
            (f", waits: {found.trouble}" if found.trouble else "", Tone.WARN),
        ]
    ]


def _both_ways_facts(flow: FlowSnapshot) -> list[Fact]:
    """Tell which flows write into the source, and of keys that several clusters wrote."""
    facts: list[Fact] = []
    for other in flow.inbound:
        what = "the other way" if other.back else f"brings what {other.source} has to {flow.source}"
        text = f"{other.name}: {what}; {other.left_out_records:,} records left out"
        facts.append([("Into  ", Tone.DIM), (formats.one_line(text), Tone.PLAIN)])
    found = flow.conflicts
    if found is not None and found.conflicts:
        where = f", most in {found.topics[0].topic}"
        text = f"{found.conflicts:,} keys written on several clusters at a time{where}"
        facts.append([("Same  ", Tone.DIM), (formats.one_line(text), Tone.WARN)])
    return facts


_SYNC_TONES = {SyncState.FAILING: Tone.BAD, SyncState.OUT_OF_STEP: Tone.WARN}


def _sync_facts(flow: FlowSnapshot) -> list[Fact]:
    """Tell how keeping the rest in step gets on."""
    facts: list[Fact] = []
    for line in sync_lines(flow):
        tone = _SYNC_TONES.get(line.state, Tone.PLAIN)
        facts.append([("Sync  ", Tone.DIM), (formats.one_line(line.text), tone)])
        if line.next_step:
            facts.append([("      ", Tone.DIM), (formats.one_line(line.next_step), Tone.STRONG)])
    return facts


def _owner_fact(flow: FlowSnapshot, state: ConsoleState, now: float) -> Fact:
    owner = flow.owner
    if owner is None:
        return [("Owner ", Tone.DIM), ("none: no engine runs this flow", Tone.WARN)]
    here = "this engine, " if flow.owned_here else ""
    who = f"{here}{owner.host} pid {owner.pid}, generation {owner.generation}"
    beat = formats.age(state.observed_ago(owner.heartbeat_at, now))
    return [("Owner ", Tone.DIM), (who, Tone.PLAIN), (f", heartbeat {beat} ago", Tone.DIM)]


def partition_facts(
    partition: PartitionSnapshot, state: ConsoleState, now: float, symbols: Symbols
) -> list[Fact]:
    """Describe a partition."""
    facts: list[Fact] = [
        [
            ("State ", Tone.DIM),
            (symbols.state(partition.state), PARTITION_TONES[partition.state]),
            ("  lag ", Tone.DIM),
            (symbols.trend(partition.trend), TREND_TONES[partition.trend]),
            (f"  {formats.count(partition.lag_records, 20)} records", Tone.PLAIN),
            (f", {formats.seconds(partition.lag_seconds)} behind", Tone.PLAIN),
        ]
    ]
    since = _reason_age(partition.reason.since if partition.reason else 0.0, state, now)
    facts += reason_facts(partition.reason, PARTITION_TONES[partition.state], since)
    facts.append(
        [
            ("At    ", Tone.DIM),
            (f"source end {formats.offset(partition.source_end)}", Tone.PLAIN),
            (f"  mirrored to {formats.offset(partition.mirrored_to)}", Tone.PLAIN),
            (f"  target end {formats.offset(partition.target_end)}", Tone.PLAIN),
        ]
    )
    rate = formats.rate(partition.records_per_second)
    size = formats.size(partition.bytes_per_second)
    old = formats.age(state.observed_ago(partition.observed_at, now))
    facts.append(
        [
            ("Rate  ", Tone.DIM),
            (f"{rate} records/s, {size}/s", Tone.PLAIN),
            (f"  source seen {old} ago", Tone.DIM),
        ]
    )
    facts += _left_out(partition)
    if partition.target_topic != partition.topic:
        facts.append([("To    ", Tone.DIM), (f"topic {partition.target_topic}", Tone.PLAIN)])
    return facts


def _left_out(partition: PartitionSnapshot) -> list[Fact]:
    """Tell what the mirror lacks for good, and what it has that is not ours."""
    facts: list[Fact] = []
    if partition.skipped_records:
        newest = partition.skipped[-1] if partition.skipped else None
        where = f", last {newest.first:,} to {newest.end - 1:,} {newest.reason}" if newest else ""
        fact: list[Cell] = [
            ("Lacks ", Tone.DIM),
            (f"{partition.skipped_records:,} source offsets{where}", Tone.WARN),
        ]
        if partition.quarantined_records:
            fact.append((f"; {partition.quarantined_records:,} in quarantine", Tone.WARN))
        facts.append(fact)
    if partition.left_out_records:
        facts.append(
            [
                ("Others", Tone.DIM),
                (
                    f" {partition.left_out_records:,} records came by other flows, left out",
                    Tone.PLAIN,
                ),
            ]
        )
    if partition.foreign_records:
        facts.append(
            [
                ("Others", Tone.DIM),
                (f" {partition.foreign_records:,} records in the mirror are not ours", Tone.WARN),
            ]
        )
    if partition.offsets is not None:
        tone = Tone.PLAIN if partition.offsets.since is None else Tone.WARN
        facts.append([("Offset", Tone.DIM), (f" {partition.offsets}", tone)])
    return facts


def event_facts(event: Event) -> list[Fact]:
    """Describe an event."""
    facts: list[Fact] = [
        [
            (event.severity.value, SEVERITY_TONES[event.severity]),
            (f"  {formats.timestamp(event.at)}  ", Tone.DIM),
            (formats.one_line(event.subject), Tone.STRONG),
        ],
        [(formats.one_line(event.text), Tone.PLAIN)],
    ]
    if event.next_step:
        facts.append([("Next  ", Tone.DIM), (formats.one_line(event.next_step), Tone.STRONG)])
    return facts


def _reason_age(since: float, state: ConsoleState, now: float) -> str:
    return formats.age(state.observed_ago(since, now)) if since else ""
