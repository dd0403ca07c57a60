"""What a mirror cannot have as its source has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.api.preview_snapshots import Conflict, ConflictKind

_PIN = "Pin {} for it in configs.pinned, or change the default of the target's brokers"


@dataclass(frozen=True, slots=True)
class Pair:
    """A source topic and its mirror as it will be."""

    source_partitions: int
    mirror_partitions: int  # 0: to be created
    wanted_replicas: int
    mirror_replicas: int
    brokers: int
    source_configs: Mapping[str, str]  # effective ones; empty: not known
    mirror_configs: Mapping[str, str]
    unknown_configs: tuple[str, ...]
    strangers: int  # records that the mirror holds already, from before this flow
    also_written_by: str  # another flow


def conflicts(pair: Pair) -> Iterator[Conflict]:
    """Yield them; none of these keeps the topic from being mirrored."""
    yield from _partitions(pair)
    yield from _replicas(pair)
    yield from _cleanup(pair)
    yield from _message_size(pair)
    yield from _unknown(pair)
    yield from _strangers(pair)


def _partitions(pair: Pair) -> Iterator[Conflict]:
    more = pair.mirror_partitions - pair.source_partitions
    if pair.mirror_partitions and more > 0:
        yield Conflict(
            ConflictKind.PARTITIONS,
            f"the mirror has {pair.mirror_partitions} partitions, the source "
            f"{pair.source_partitions}: {more} stay empty, and keys stand elsewhere than clients "
            "of the mirror would put them",
            "Give the source as many partitions",
        )


def _replicas(pair: Pair) -> Iterator[Conflict]:
    if pair.mirror_replicas >= pair.wanted_replicas:
        return
    if pair.wanted_replicas > pair.brokers:
        text = f"{pair.wanted_replicas} replicas are wanted, the target has {pair.brokers} broker"
        text += "s" * (pair.brokers != 1)
        step = f"It gets {pair.mirror_replicas}" if not pair.mirror_partitions else ""
    else:
        text = f"the mirror has {pair.mirror_replicas} of {pair.wanted_replicas} wanted replicas"
        step = "ccr moves no replicas: use kafka-reassign-partitions"
    yield Conflict(ConflictKind.REPLICATION_FACTOR, text, step)


def _cleanup(pair: Pair) -> Iterator[Conflict]:
    source, mirror = (
        {word.strip() for word in values.get("cleanup.policy", "").split(",")}
        for values in (pair.source_configs, pair.mirror_configs)
    )
    if {""} in (source, mirror) or source == mirror:
        return
    if mirror == {"delete"} and _keeps_everything(pair.mirror_configs):
        return
    harm = "the mirror loses what the source keeps"
    if "compact" in mirror and "compact" not in source:
        harm = "the mirror takes no records without a key, and keeps only each key's newest"
    elif "compact" in mirror:
        harm = "one deletes what the other keeps"
    yield Conflict(
        ConflictKind.CLEANUP_POLICY,
        f"cleanup.policy is {','.join(sorted(mirror))} on the mirror, {','.join(sorted(source))} "
        f"on the source: {harm}",
        _PIN.format("cleanup.policy"),
    )


def _keeps_everything(configs: Mapping[str, str]) -> bool:
    """Whether cleanup.policy=delete never deletes anything: an archive of a compacted topic."""
    return all(configs.get(name) == "-1" for name in ("retention.ms", "retention.bytes"))


def _message_size(pair: Pair) -> Iterator[Conflict]:
    name = "max.message.bytes"
    if name not in pair.source_configs or name not in pair.mirror_configs:
        return
    source, mirror = int(pair.source_configs[name]), int(pair.mirror_configs[name])
    if mirror < source:
        yield Conflict(
            ConflictKind.MAX_MESSAGE_BYTES,
            f"{name} is {mirror} on the mirror, {source} on the source: a larger record will be "
            "refused",
            _PIN.format(name),
        )


def _unknown(pair: Pair) -> Iterator[Conflict]:
    for name in pair.unknown_configs:
        yield Conflict(
            ConflictKind.UNKNOWN_CONFIG,
            f"the target's brokers do not know {name}: the mirror goes without",
            f"Exclude {name} in configs.exclude",
        )


def _strangers(pair: Pair) -> Iterator[Conflict]:
    if pair.strangers:
        yield Conflict(
            ConflictKind.NOT_OURS,
            f"the mirror holds {pair.strangers} records that this flow did not write; ours go "
            "after them",
            "Take another topic or rename: prefix if they do not belong together",
        )
    if pair.also_written_by:
        yield Conflict(
            ConflictKind.ALSO_WRITTEN,
            f"flow {pair.also_written_by} writes into it too",
            "Right for the same topics on several clusters; otherwise use rename: prefix",
        )
