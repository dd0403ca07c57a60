"""What a flow's state topic holds: keyed JSON records, folded into one picture.

Topic `ccr.<flow>.internal` on the target, one partition, compacted (docs/state.md):

    identity                       {"format", "producer_id", "producer_epoch"}
    flow                           {"source", "source_id", "target", "target_id", "rename"}
    owner                          {"engine", "host", "process", "generation", "released"}
    paused                         {"paused", "at"}
    partition/<topic>/<partition>  {"s": next source offset, "t": next target offset,
                                    "q": next sequence, "m": newest timestamp ms,
                                    "c": sealed chunks, "k": folded ones of them,
                                    "r": newest runs, "x": why it stopped,
                                    "h": topic ids, leader epoch, what was left out}
    runs/<topic>/<partition>/<n>   {"r": [[source, target, records], …]}  sealed, oldest first
    coarse/<topic>/<partition>     {"k": folded chunks, "r": [[source, target, records], …]}
    sync/<syncer>/<object>         what a syncer remembers (engine.replication.sync)
    ends/<topic>                   {"at": seen, "e": {partition: source end not mirrored yet}}
    written                        {"r": records a second that the source was written with}
    promotion                      {"run", "at", "by", "host", "kind"}  this direction is refused
    runbook/<run>                  one run's journal (engine.api.runbook_snapshots.Run)
"""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from engine.api.snapshots import Owner, Reason, SkipKind, SkippedRange, Skips
from engine.kafka.fetch import TopicPartition
from engine.replication.offset_map import OffsetMap, Run
from engine.replication.partition import Progress
from engine.replication.troubles import Began, History

_Record = TypeVar("_Record", "Ends", "Promotion")
FORMAT = 1
RUNS_INLINE = 128  # runs beyond this are sealed into a record of their own; divides FOLD_RUNS


def state_topic(flow: str) -> str:
    """Name a flow's state topic."""
    return f"ccr.{flow}.internal"


@dataclass(frozen=True, slots=True)
class Identity:
    """The producer id that marks everything this flow writes."""

    producer_id: int
    producer_epoch: int


@dataclass(frozen=True, slots=True)
class Ends:
    """The flow's clusters, as its configuration calls them, Kafka's own ids of them, and `rename`
    of its configuration.
    """

    source: str
    source_id: str
    target: str
    target_id: str
    rename: str


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """Who runs the flow. `process` tells processes of one machine apart (see engine.identity)."""

    engine_id: str
    host: str
    process: str
    generation: int
    released: bool
    at: float  # broker's clock, seconds

    def to_owner(self) -> Owner:
        """Return it as shown on screens."""
        pid = self.process.rpartition("/")[2].partition("@")[0]
        return Owner(self.engine_id, self.host, int(pid or 0), self.generation, self.at)


@dataclass(frozen=True, slots=True)
class Promotion:
    """That the mirrors were promoted, and by which run: no engine mirrors into them any more."""

    run: str
    at: float  # seconds since the epoch
    by: str
    host: str
    kind: str


@dataclass(slots=True)
class Checkpoint:
    """A partition's progress as it was written."""

    progress: Progress
    sealed: int
    runs: list[Run]
    stopped: Reason | None
    history: History = field(default_factory=History)
    folded: int = 0  # of the sealed chunks, how many were folded


@dataclass(slots=True)
class FlowRecord:
    """The state topic's content, folded: the newest record of each key counts."""

    identity: Identity | None = None
    ends: Ends | None = None
    owner: OwnerRecord | None = None
    paused: bool = False
    checkpoints: dict[TopicPartition, Checkpoint] = field(default_factory=dict)
    sealed_runs: dict[tuple[str, int, int], array[int]] = field(default_factory=dict)
    coarse_runs: dict[TopicPartition, tuple[int, list[Run]]] = field(default_factory=dict)
    synced: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # syncer, object
    promotion: Promotion | None = None
    runbooks: dict[str, dict[str, Any]] = field(default_factory=dict)  # by run id
    ends_seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # by source topic
    written_per_second: float | None = None  # the source, when it was last seen

    def fold(self, key: str, value: dict[str, Any] | None, timestamp_ms: int) -> None:
        """Take in one record; unknown keys are a newer version's and are left alone."""
        kind, _, rest = key.partition("/")
        match kind:
            case "partition":
                self._fold_partition(rest, value)
            case "runs" | "coarse":
                self._fold_runs(kind, rest, value)
            case "sync":
                syncer, _, name = rest.partition("/")
                _put(self.synced.setdefault(syncer, {}), name, value)
            case "runbook":
                _put(self.runbooks, rest, value)
            case "ends":
                _put(self.ends_seen, rest, value)
            case "written":
                self.written_per_second = value["r"] if value else None
            case "paused":
                self.paused = bool(value and value["paused"])
            case "promotion":
                self.promotion = _all_of(Promotion, value) if value else None
            case _ if value is not None:
                self._fold_standing(kind, value, timestamp_ms)

    @property
    def in_a_run(self) -> bool:
        """Whether a runbook is under way; engine.api.runbook_snapshots.RunState has the words."""
        return any(run["state"] not in ("done", "undone") for run in self.runbooks.values())

    def _fold_standing(self, kind: str, value: dict[str, Any], timestamp_ms: int) -> None:
        """Take in what is never deleted."""
        if kind == "identity" and self.identity is None:
            # The first one written counts: two engines that begin at once agree on it.
            self.identity = Identity(value["producer_id"], value["producer_epoch"])
        elif kind == "flow":
            self.ends = _all_of(Ends, value)
        elif kind == "owner":
            self.owner = OwnerRecord(
                value["engine"],
                value["host"],
                value["process"],
                value["generation"],
                value["released"],
                timestamp_ms / 1000,
            )

    def _fold_partition(self, rest: str, value: dict[str, Any] | None) -> None:
        topic, _, partition = rest.rpartition("/")
        if value is None:
            self.checkpoints.pop((topic, int(partition)), None)
            return
        stopped = value.get("x")
        self.checkpoints[topic, int(partition)] = Checkpoint(
            Progress(value["s"], value["t"], value["q"], value["m"]),
            value["c"],
            _runs(value["r"]),
            _stopped(stopped) if stopped else None,
            _history(value.get("h")),
            value.get("k", 0),
        )

    def _fold_runs(self, kind: str, rest: str, value: dict[str, Any] | None) -> None:
        if kind == "coarse":
            topic, _, number = rest.rpartition("/")
            self.coarse_runs.pop((topic, int(number)), None)
            if value is not None:
                self.coarse_runs[topic, int(number)] = value["k"], _runs(value["r"])
            return
        topic, partition, number = rest.rsplit("/", 2)
        self.sealed_runs.pop((topic, int(partition), int(number)), None)
        if value is not None:
            flat = array("q", chain.from_iterable(_runs(value["r"])))
            self.sealed_runs[topic, int(partition), int(number)] = flat

    def offset_map(self, key: TopicPartition) -> OffsetMap:
        """Put a partition's map together from its folded, its sealed and its newest runs."""
        checkpoint = self.checkpoints[key]
        folded, coarse = self.coarse_runs.get(key, (0, []))
        if folded > checkpoint.folded:  # of an earlier life
            folded, coarse = 0, []
        found = OffsetMap(coarse, coarse=len(coarse), folded=folded * RUNS_INLINE)
        for number in range(folded, checkpoint.sealed):
            rows = self.sealed_runs.get((*key, number))
            if rows is None:  # killed between two appends, with more to write than one can take
                found.skip_to((number + 1) * RUNS_INLINE)
            else:
                found.extend(rows)
        for run in checkpoint.runs:
            found.append(*run)
        return found


def _put(remembered: dict[str, dict[str, Any]], name: str, value: dict[str, Any] | None) -> None:
    """Keep the newest value, in the order of writing; None deletes."""
    remembered.pop(name, None)
    if value is not None:
        remembered[name] = value


def _all_of(kind: type[_Record], value: dict[str, Any]) -> _Record:
    return kind(*(value[each.name] for each in fields(kind)))


def _stopped(row: list[Any]) -> Reason:
    text, next_step, since, *more = row  # an older ccr wrote no more than these
    skips = None
    if len(more) > 1:
        kind, first, end = more[1]
        skips = Skips(SkipKind(kind), first, end)
    return Reason(text, next_step, since, retriable=False, acceptable=any(more), skips=skips)


def _history(value: dict[str, Any] | None) -> History:
    if value is None:
        return History()
    return History(
        UUID(value["s"]),
        UUID(value["t"]),
        value["e"],
        [SkippedRange(*row) for row in value.get("g", ())],
        value.get("n", 0),
        value.get("q", 0),
        value.get("f", 0),
        value.get("l", 0),
        value.get("d", -1),
        Began(*value["b"]) if "b" in value else None,
        value.get("o", 0),
    )


def history_value(history: History) -> dict[str, Any]:
    value: dict[str, Any] = {
        "s": history.source_id.hex,
        "t": history.target_id.hex,
        "e": history.source_epoch,
    }
    if history.skipped_records or history.foreign:
        value["g"] = [[row.first, row.end, row.at, row.reason] for row in history.skipped]
        value["n"] = history.skipped_records
        value["q"] = history.quarantined
        value["f"] = history.foreign
    if history.left_out:
        value["l"] = history.left_out
    if history.looked_to:
        value["o"] = history.looked_to
    if history.began is not None:
        value["b"] = [history.began.source, history.began.target, history.began.why]
        value["d"] = history.dropped_at
    return value


def _runs(rows: list[list[int]]) -> list[Run]:
    return [(source, target, count) for source, target, count in rows]


Entry = tuple[str, dict[str, Any] | None]


def identity_entry(identity: Identity) -> Entry:
    """Encode the flow's identity."""
    return "identity", {
        "format": FORMAT,
        "producer_id": identity.producer_id,
        "producer_epoch": identity.producer_epoch,
    }


def ends_entry(ends: Ends) -> Entry:
    """Encode the flow's clusters."""
    return "flow", asdict(ends)


def promotion_entry(promotion: Promotion | None) -> Entry:
    """Encode a promotion; None takes it back."""
    return "promotion", asdict(promotion) if promotion else None


def run_entry(run: str, journal: dict[str, Any] | None) -> Entry:
    """Encode a run's journal; None forgets it."""
    return f"runbook/{run}", journal


def owner_entry(owner: OwnerRecord) -> Entry:
    """Encode a claim, a heartbeat or a release."""
    return "owner", {
        "engine": owner.engine_id,
        "host": owner.host,
        "process": owner.process,
        "generation": owner.generation,
        "released": owner.released,
    }


def encode_value(value: dict[str, Any] | None) -> bytes | None:
    """Encode a value; None is a tombstone."""
    return None if value is None else json.dumps(value, separators=(",", ":")).encode()


def decode_value(data: bytes | None) -> dict[str, Any] | None:
    """Decode a value; raises ValueError when it is not ours."""
    if data is None:
        return None
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  (callers handle bad content as ValueError)
    return value
