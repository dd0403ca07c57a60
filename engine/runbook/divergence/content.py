"""Whether the newest records that arrived are still what the source has: by content, both read."""

from __future__ import annotations

from dataclasses import replace

from engine.errors import KafkaError
from engine.replication.partition import MirrorPartition
from engine.replication.verify.findings import MISSING_ON_TARGET, Tally
from engine.replication.verify.mirrored import Bounds, Mirrored, compare_range
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.logs import Log
from engine.runbook.divergence.model import Sides

COMPARED_RECORDS = 1_000  # offsets before where they part; as many more as it takes
WIDER = 16


async def first_difference(
    sides: Sides,
    partition: MirrorPartition,
    logs: tuple[Log, Log],
    readers: tuple[Reader, Reader],
    producer_id: int,
) -> int | None:
    """Return the source offset from which on nothing is what arrived; None where all of it is.

    Reads as far back as it takes to find records that are. Raises KafkaError where records differ
    though later ones do not: that is no fork of the source's history.
    """
    mirrored = Mirrored.of(
        partition.key,
        partition.target_topic,
        partition.acked,
        partition.offset_map,
        partition.history,
        sides.config,
        producer_id=producer_id,
    )
    source, target = logs
    bounds = Bounds(source.low or 0, target.low or 0, target.high or 0)
    first = mirrored.first_common(bounds)
    end = partition.acked.source
    count = COMPARED_RECORDS
    while True:
        start = max(first, end - count)
        tally = await _compare(mirrored, readers, (start, end), bounds, logs)
        if not tally.wrong:
            return None
        if tally.equal or start == first:
            break
        count *= WIDER
    fork = min(mismatch.source_offset for mismatch in tally.mismatches)
    behind = await _compare(mirrored, readers, (fork, end), bounds, logs)
    kinds = {mismatch.differs for mismatch in tally.mismatches}
    if behind.equal or kinds == {(MISSING_ON_TARGET,)}:
        named = tally.mismatches[0]
        raise KafkaError(
            "comparing",
            f"{partition.topic}/{partition.partition} with its mirror",
            f"at source offset {named.source_offset}: {', '.join(named.differs)}; that is no "
            "record that arrived too late",
            f"Look at it with ccr verify {sides.flow} --full, and decide about the topic by hand",
        )
    return fork


async def _compare(
    mirrored: Mirrored,
    readers: tuple[Reader, Reader],
    extent: tuple[int, int],
    bounds: Bounds,
    logs: tuple[Log, Log],
) -> Tally:
    source, target = logs
    rules = replace(
        mirrored.rules(bounds), source_compacts=source.compacts, target_compacts=target.compacts
    )
    tally = Tally()
    await compare_range(
        mirrored,
        readers,
        extent,
        mirrored.acked.target,
        rules,
        tally,
        # The new primary's own records may supersede mirrored ones.
        prove_compaction=False,
    )
    return tally
