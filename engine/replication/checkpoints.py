"""Writing partitions' checkpoints, with as little of their offset maps as changed.

The newest runs of a map stand in the checkpoint itself. Older ones are sealed, RUNS_INLINE of them
in a record of their own, which is written once. What the map has folded stands in one record, and
the sealed ones that it was made from are deleted. The order counts, for a writer may be killed
between any two: sealed runs, the checkpoint that counts them, what was folded, deletions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from engine.kafka.fetch import TopicPartition
from engine.replication.offset_map import OffsetMap, Run
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import RUNS_INLINE, Entry, FlowRecord, history_value


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands in the topic of a partition's map, besides the checkpoint."""

    sealed: int = 0  # chunks, those that are deleted counted
    deleted: int = 0  # so many of the first are
    folded: tuple[int, int, Run | None] = (0, 0, None)  # see _folded
    restarts: int = 0  # of the partition: chunks of an earlier life do not count


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Entries to be written, and what stands there once they are."""

    entries: list[Entry] = field(default_factory=list)
    kept: dict[TopicPartition, Kept] = field(default_factory=dict)


class CheckpointWriter:
    """Turns partitions into entries, sealing runs that no longer change."""

    def __init__(self) -> None:
        self._kept: dict[TopicPartition, Kept] = {}

    def loaded(self, record: FlowRecord) -> None:
        """Note what stands in the topic already."""
        for key, checkpoint in record.checkpoints.items():
            chunks, runs = record.coarse_runs.get(key, (0, []))
            deleted = chunks
            while (*key, deleted - 1) in record.sealed_runs:
                deleted -= 1
            mark = chunks * RUNS_INLINE, len(runs), runs[-1] if runs else None
            self._kept[key] = Kept(checkpoint.sealed, deleted, mark)

    def encode(self, partitions: Iterable[MirrorPartition]) -> Checkpoints:
        """Encode the checkpoints of those that have a position; call `written` when they stand."""
        out = Checkpoints()
        for partition in partitions:
            if partition.positioned:
                self._encode(partition, out)
        return out

    def written(self, checkpoints: Checkpoints) -> None:
        """Their chunks need not be written again."""
        self._kept.update(checkpoints.kept)

    def _encode(self, partition: MirrorPartition, out: Checkpoints) -> None:
        name = f"{partition.topic}/{partition.partition}"
        offset_map = partition.offset_map
        kept = self._kept.get(partition.key, Kept())
        if kept.restarts != partition.restarts:
            kept = Kept(folded=kept.folded)
        folded = offset_map.folded // RUNS_INLINE
        # A map that was cut has fewer chunks than were written; the whole ones stay as they are.
        whole = max(0, offset_map.appended - 1) // RUNS_INLINE
        sealed = max(min(kept.sealed, whole), folded)
        while offset_map.appended - sealed * RUNS_INLINE > RUNS_INLINE:
            chunk = [list(run) for run in islice(_from(offset_map, sealed), RUNS_INLINE)]
            out.entries.append((f"runs/{name}/{sealed}", {"r": chunk}))
            sealed += 1
        runs = [list(run) for run in _from(offset_map, sealed)]
        out.entries.append((f"partition/{name}", _checkpoint(partition, sealed, folded, runs)))
        mark = _folded(offset_map)
        if mark != kept.folded:
            out.entries.append((f"coarse/{name}", _coarse(offset_map, folded)))
        out.entries.extend((f"runs/{name}/{n}", None) for n in range(kept.deleted, folded))
        out.kept[partition.key] = Kept(sealed, folded, mark, partition.restarts)


def forgotten(partition: MirrorPartition) -> list[Entry]:
    """Return the entries that delete all that stands of a partition."""
    name = f"{partition.topic}/{partition.partition}"
    offset_map = partition.offset_map
    first, last = (runs // RUNS_INLINE for runs in (offset_map.folded, offset_map.appended))
    keys = [f"partition/{name}", *(f"runs/{name}/{n}" for n in range(first, last + 1))]
    if offset_map.folded:
        keys.append(f"coarse/{name}")
    return [(key, None) for key in keys]


def _from(offset_map: OffsetMap, chunk: int) -> Iterable[Run]:
    return offset_map.runs(offset_map.coarse + chunk * RUNS_INLINE - offset_map.folded)


def _folded(offset_map: OffsetMap) -> tuple[int, int, Run | None]:
    """Return what tells one state of a map's folded part from another."""
    last = next(offset_map.runs(offset_map.coarse - 1), None) if offset_map.coarse else None
    return offset_map.folded, offset_map.coarse, last


def _coarse(offset_map: OffsetMap, folded: int) -> dict[str, Any] | None:
    if not folded:
        return None  # the map began anew
    return {"k": folded, "r": [list(run) for run in islice(offset_map.runs(), offset_map.coarse)]}


def _checkpoint(
    partition: MirrorPartition, sealed: int, folded: int, runs: list[list[int]]
) -> dict[str, Any]:
    acked, reason = partition.acked, partition.reason
    value: dict[str, Any] = {
        "s": acked.source,
        "t": acked.target,
        "q": acked.sequence,
        "m": acked.newest_ms,
        "c": sealed,
        "r": runs,
        "h": history_value(partition.history),
    }
    if folded:
        value["k"] = folded
    if reason is not None and not reason.retriable:
        value["x"] = [reason.text, reason.next_step, reason.since, reason.acceptable]
        if reason.skips is not None:
            value["x"].append([reason.skips.kind.value, reason.skips.first, reason.skips.end])
    return value
