"""Which records' offsets are written as offset syncs.

A reader translates by the last sync at or before a position: to the sync's target offset at that
very record, to the one after it anywhere behind (OffsetSyncStore.translateDownstream). So a pair is
right for every later position whatever lies between, as long as both are of one record.

MirrorMaker 2's store keeps 64 pairs a partition, the closer together the nearer to the newest, and
its writer adds one every 100 records and after every gap. Ours are placed like what the store
keeps: first and last record of each run, and at doubling distances from the newest record back.
"""

from __future__ import annotations

from engine.replication.offset_map import OffsetMap

NEAREST = 100  # source offsets before the newest record: MirrorMaker 2's offset.lag.max
MOST_RUNS = 64  # at once; as many pairs as the reader keeps
ALL = -1


def pairs_after(offset_map: OffsetMap, source: int) -> list[tuple[int, int]]:
    """Return (source, target) offsets of records behind `source` (ALL: of any), ascending.

    The newest record is among them when there is one.
    """
    last = offset_map.last_run()
    if last is None or not last[2]:
        return []
    newest = last[0] + last[2] - 1
    pairs: set[tuple[int, int]] = set()
    for first, target, length in offset_map.runs(max(0, len(offset_map) - MOST_RUNS)):
        if length:
            pairs |= {(first, target), (first + length - 1, target + length - 1)}
    oldest = next(first for first, _, length in offset_map.runs() if length)
    distance = NEAREST
    wanted = {oldest}
    while newest - distance > max(source, oldest):
        wanted.add(newest - distance)
        distance *= 2
    pairs |= {pair for each in wanted if (pair := offset_map.record_before(each)) is not None}
    return sorted(pair for pair in pairs if pair[0] > source)
