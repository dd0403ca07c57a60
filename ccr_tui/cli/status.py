"""`ccr status` and `ccr lag`: where every flow and every partition stands."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.reading import read
from ccr_tui.cli.tables import Row, indented, table
from ccr_tui.syncs import sync_lines
from engine.api.snapshots import (
    ClusterSnapshot,
    EngineMode,
    EngineSnapshot,
    FlowSnapshot,
    PartitionSnapshot,
    PartitionsPage,
    Reason,
    VerificationSnapshot,
)
from engine.config.matching import Pattern
from engine.config.regexes import check_regex
from engine.errors import ConfigError
from engine.service import wording
from engine.service.codec import ROWS, SNAPSHOT

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add `status` and `lag`."""
    status = subparsers.add_parser(
        "status",
        help="flows and clusters as they are now",
        description="Show clusters and flows: from the engine that runs this configuration on this "
        "host, or else from the clusters themselves (no engine needed). "
        "Exit code: 3 a cluster cannot be reached, 1 a flow or partition is stopped, else 0.",
    )
    status.set_defaults(func=run_status)
    lag = subparsers.add_parser(
        "lag",
        help="every partition: source end, mirrored to, lag",
        description="Show every partition of one flow or of all. Reads and exits like ccr status.",
    )
    lag.add_argument("flow", nargs="?", metavar="FLOW", help="one flow (default: all)")
    lag.add_argument("--topic", metavar="REGEX", help="only topics whose whole name matches")
    lag.add_argument(
        "--sort",
        choices=("lag", "topic"),
        default="lag",
        help="lag: most records behind first (default); topic: by topic and partition",
    )
    lag.set_defaults(func=run_lag)
    for parser in (status, lag):
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object (docs/cli.md)"
        )


async def run_status(args: argparse.Namespace) -> int:
    """Print the status; returns the exit code."""
    reading = await read(args.config, partitions=False)
    if args.json:
        print(json.dumps(status_json(reading.snapshot), indent=2, ensure_ascii=False))
    else:
        print("\n".join(status_lines(reading.snapshot)))
    return reading.exit_code()


async def run_lag(args: argparse.Namespace) -> int:
    """Print the partitions; returns the exit code."""
    wanted = _topic_pattern(args.topic)
    reading = await read(args.config, flow=args.flow, partitions=True)
    chosen = {page.flow: _chosen(page, wanted, by_lag=args.sort == "lag") for page in reading.pages}
    if args.json:
        print(json.dumps(lag_json(reading.snapshot, chosen), indent=2, ensure_ascii=False))
    else:
        print("\n".join(lag_lines(reading.snapshot, chosen)))
    return reading.exit_code()


def _topic_pattern(text: str | None) -> Pattern:
    try:
        return Pattern(".*" if text is None else check_regex(text))
    except ValueError as error:
        raise ConfigError("reading the option", f"--topic {text}", str(error)) from None


def _chosen(page: PartitionsPage, wanted: Pattern, *, by_lag: bool) -> list[PartitionSnapshot]:
    rows = [row for row in page.partitions if wanted.matches(row.topic)]
    rows.sort(key=lambda row: (row.topic, row.partition))
    if by_lag:
        rows.sort(key=lambda row: -1 if row.lag_records is None else row.lag_records, reverse=True)
    return rows


# JSON


def status_json(snapshot: EngineSnapshot) -> dict[str, Any]:
    """Return the snapshot without the flows' history, which is for sparklines."""
    dumped: dict[str, Any] = SNAPSHOT.dump_python(
        snapshot, mode="json", exclude={"flows": {"__all__": {"history"}}}
    )
    return dumped


def lag_json(
    snapshot: EngineSnapshot, chosen: dict[str, list[PartitionSnapshot]]
) -> dict[str, Any]:
    """Return the status with each flow's partitions in it."""
    dumped = status_json(snapshot)
    for flow in dumped["flows"]:
        rows = tuple(chosen[flow["name"]])
        flow["partitions_listed"] = ROWS.dump_python(
            rows, mode="json", exclude={"__all__": {"version", "flow"}}
        )
    return dumped


# text


def status_lines(snapshot: EngineSnapshot) -> Iterator[str]:
    """Word a snapshot in lines of 80 columns."""
    yield from _heading(snapshot)
    yield ""
    yield from table(
        ("cluster", "State", "Environment", "brokers"), [_cluster_row(c) for c in snapshot.clusters]
    )
    yield ""
    if not snapshot.flows:
        yield "The configuration has no flows."
        return
    yield from table(
        ("flow", "State", "partitions", "lag", "behind", "records/s", "bytes/s"),
        [_flow_row(flow, snapshot) for flow in snapshot.flows],
    )


def _heading(snapshot: EngineSnapshot) -> Iterator[str]:
    yield f"config  {snapshot.config_path}"
    if snapshot.mode is EngineMode.ONE_SHOT:
        yield "engine  none of this user's runs it on this host; read from the clusters"
        return
    kind = "the console's" if snapshot.mode is EngineMode.EMBEDDED else "service"
    up = wording.duration(snapshot.taken_at - snapshot.started_at)
    read_only = ", read-only" if snapshot.read_only else ""
    yield f"engine  {kind}, pid {snapshot.pid}, ccr {snapshot.version}, up {up}{read_only}"


def _cluster_row(cluster: ClusterSnapshot) -> Row:
    state = "reachable" if cluster.reachable else "away"
    cells = (cluster.name, state, cluster.environment, str(cluster.brokers or wording.UNKNOWN))
    return Row(cells, _notes(cluster.reason))


def _flow_row(flow: FlowSnapshot, snapshot: EngineSnapshot) -> Row:
    looked_once = snapshot.mode is EngineMode.ONE_SHOT  # a rate takes two looks
    cells = (
        flow.name,
        flow.state.value,
        wording.count(flow.partitions),
        wording.count(flow.lag_records),
        wording.duration(flow.lag_seconds),
        wording.UNKNOWN if looked_once else wording.count(flow.records_per_second),
        wording.UNKNOWN if looked_once else wording.size(flow.bytes_per_second),
    )
    notes = _notes(flow.reason)
    if flow.partitions_stopped:
        notes += (f"partitions stopped: {flow.partitions_stopped} (ccr lag {flow.name})",)
    if flow.run is not None:
        told = wording.run(flow.run, flow.source, snapshot.taken_at)
        notes += (told, f"ccr runbook {flow.name} follows it")
    if flow.rehearsed is not None:
        notes += (wording.rehearsed(flow.rehearsed, snapshot.taken_at),)
    if flow.overtaken is not None:
        first = flow.overtaken
        what = wording.overtaken(first.first, snapshot.taken_at)
        notes += (f"{first.topic}/{first.partition}: {what}",)
        if first.partitions > 1:
            notes += (f"partitions overtaken within a day: {first.partitions}",)
    notes += tuple(_inbound(flow))
    if flow.offsets is not None:
        notes += (f"offsets: {flow.offsets}",)
    if flow.verification is not None:
        notes += tuple(_verified(flow.verification))
    notes += tuple(f"{line.text}. {line.next_step}".rstrip(". ") for line in sync_lines(flow))
    if flow.owner is not None and not flow.owned_here:
        notes += (f"owner: engine {flow.owner.engine_id} on {flow.owner.host}",)
    return Row(cells, notes)


def _inbound(flow: FlowSnapshot) -> Iterator[str]:
    """Tell which flows write into the source, and what of theirs is left out."""
    for other in flow.inbound:
        whose = f" what {other.source} has" if other.source else ""
        way = "the other way" if other.back else f"brings{whose} to {flow.source}"
        yield f"{other.name}: {way}; {wording.count(other.left_out_records)} records left out"
    if flow.conflicts is not None and flow.conflicts.conflicts:
        found, window = flow.conflicts, wording.duration(flow.conflicts.window_seconds)
        yield f"keys written on several clusters within {window}: {wording.count(found.conflicts)}"
        newest = found.topics[0].samples[-1]
        yield (
            f"last in {found.topics[0].topic}: key {newest.key}, {newest.before.origin} and "
            f"{newest.behind.origin}; ccr shows them, it cannot choose"
        )


def _verified(found: VerificationSnapshot) -> Iterator[str]:
    """Tell what comparing the mirrors has found."""
    wrong = f"{found.wrong} wrong" if found.wrong else "none wrong"
    yield f"verified: {found.compared} records in {found.ranges} ranges, {wrong}"
    if found.last_wrong:
        yield f"last: {found.last_wrong}"
    if found.trouble:
        yield f"verifying waits: {found.trouble}"


def _notes(reason: Reason | None) -> tuple[str, ...]:
    if reason is None:
        return ()
    since = f" (for {wording.duration(time.time() - reason.since)})" if reason.since else ""
    return (reason.text + since, reason.next_step) if reason.next_step else (reason.text + since,)


def lag_lines(
    snapshot: EngineSnapshot, chosen: dict[str, list[PartitionSnapshot]]
) -> Iterator[str]:
    """Word partitions in lines of 80 columns, flow by flow."""
    for number, flow in enumerate(snapshot.flows):
        if number:
            yield ""
        yield f"{flow.name}: {flow.state}, {wording.lag(flow.lag_records, flow.lag_seconds)}"
        for note in _notes(flow.reason):
            yield from indented(note)
        rows = chosen[flow.name]
        if not rows:
            yield from indented("no partitions" if not flow.partitions else "no topic matches")
            continue
        yield from table(
            ("topic", "part", "State", "source end", "mirrored to", "lag", "behind"),
            [_partition_row(row, snapshot.taken_at) for row in rows],
        )


def _partition_row(row: PartitionSnapshot, now: float) -> Row:
    cells = (
        row.topic,
        str(row.partition),
        row.state.value,
        _offset(row.source_end),
        _offset(row.mirrored_to),
        wording.count(row.lag_records),
        wording.duration(row.lag_seconds),
    )
    overtaken = (wording.overtaken(row.overtaken, now),) if row.overtaken else ()
    return Row(cells, (*_notes(row.reason), *overtaken, *_lacks(row)))


def _lacks(row: PartitionSnapshot) -> Iterator[str]:
    """Tell what the mirror lacks for good, and what it has that is not the flow's."""
    if row.skipped_records:
        newest = row.skipped[-1] if row.skipped else None
        where = f", last {newest.first} to {newest.end - 1} {newest.reason}" if newest else ""
        aside = f"; {row.quarantined_records} in quarantine" if row.quarantined_records else ""
        yield f"lacks {row.skipped_records} source offsets{where}{aside}"
    if row.left_out_records:
        yield f"{row.left_out_records} records came by other flows and are left out"
    if row.foreign_records:
        yield f"{row.foreign_records} records in the mirror are not this flow's"
    if row.offsets is not None and row.offsets.since is not None:
        yield f"its offset {row.offsets}"


def _offset(offset: int | None) -> str:
    return wording.UNKNOWN if offset is None else str(offset)
