"""`ccr verify`: compares a flow's mirrors with their sources, from any host, with no engine.

Reads the offset map from the state topic and both logs; writes nothing anywhere.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from engine.config.matching import Pattern
from engine.config.model import Config
from engine.errors import ConnectError, KafkaError, RefusedError
from engine.identity import this_engine
from engine.kafka import codes
from engine.kafka.batch import CorruptBatchError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import NO_TOPIC_ID, ClusterMetadata
from engine.replication.state_log import StateLog
from engine.replication.topics.selection import TopicSelector
from engine.replication.verify.findings import Tally
from engine.replication.verify.mirrored import Bounds, Mirrored, compare_range
from engine.replication.verify.policies import compacting
from engine.replication.verify.reading import Reader
from engine.replication.verify.report import FlowReport, PartitionReport, partition_report

SAMPLE_RECORDS = 1_000  # offsets of one range of a sample
SAMPLE_BYTES = 4 * 1024 * 1024  # of one range, on the source
RANDOM_RANGES = 2
RETENTION_TRIES = 3  # a log may lose its beginning while it is read
LANES = 4  # partitions that are compared at a time, each on connections of its own
SHARE = 250  # partitions whose bounds are asked for at once

_PLACES = (0, EARLIEST), (1, EARLIEST), (1, LATEST)  # side and place of `Bounds`

Readers = tuple[Reader, Reader]
Row = tuple[TopicPartition, Bounds | None]
Progress = Callable[[PartitionReport, int, int], None]  # a partition is done: it, number, total


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare."""

    full: bool = False
    topics: Pattern | None = None  # whole source names
    show: bool = False


async def verify(
    config: Config, flow: str, options: Options, progress: Progress | None = None
) -> FlowReport:
    """Compare a flow's mirrors; raises RefusedError, ConnectError and KafkaError."""
    if flow not in config.flows:
        known = ", ".join(config.flows) or "none"
        raise RefusedError("verifying flow", flow, f"the configuration has no such flow ({known})")
    section = config.flows[flow]
    clusters = [Cluster(name, config.clusters[name]) for name in (section.source, section.target)]
    verifier = Verifier(config, flow, (clusters[0], clusters[1]), options)
    try:
        return await verifier.run(progress)
    finally:
        await verifier.close()
        for cluster in clusters:
            await cluster.close()


class Verifier:
    """One run over one flow."""

    def __init__(
        self, config: Config, flow: str, clusters: tuple[Cluster, Cluster], options: Options
    ) -> None:
        self._flow = flow
        self._config = config.flows[flow]
        self._clusters = clusters
        self._options = options
        self._selector = TopicSelector(self._config)
        self._state = StateLog(flow, clusters[1], this_engine())
        self._lanes = [(Reader(clusters[0]), Reader(clusters[1])) for _ in range(LANES)]
        self._compacts: list[Mapping[str, bool]] = []  # by side and topic; not in it: not known
        self._metadata: list[ClusterMetadata] = []

    async def close(self) -> None:
        """Let go of the connections."""
        for readers in self._lanes:
            for reader in readers:
                reader.close()
        await self._state.close()

    async def run(self, progress: Progress | None) -> FlowReport:
        """Compare all partitions, a few at a time."""
        began = time.time()
        if not await self._state.exists():
            raise RefusedError(
                "verifying flow", self._flow, "it has never run: it has no state topic",
                "Start ccr --no-ui or the console",
            )  # fmt: skip
        await self._state.read()
        keys = await self._prepare()
        reports: dict[TopicPartition, PartitionReport] = {}

        async def compare(share: Iterator[Row], readers: Readers) -> None:
            for key, bounds in share:
                reports[key] = await self._partition(key, readers, bounds)
                if progress is not None:
                    progress(reports[key], len(reports), len(keys))

        left = iter(keys)
        # Where everything is compared, the bounds of many would be too old in the end.
        while share := list(islice(left, LANES if self._options.full else SHARE)):
            known = await self._all_bounds(share)
            rows = ((key, known.get(key)) for key in share)
            async with asyncio.TaskGroup() as lanes:
                for readers in self._lanes:
                    lanes.create_task(compare(rows, readers))
        source, target = (cluster.name for cluster in self._clusters)
        return FlowReport(
            self._flow,
            source,
            target,
            self._options.full,
            began,
            time.time() - began,
            tuple(reports[key] for key in keys),
        )

    async def _prepare(self) -> list[TopicPartition]:
        """Look both clusters up; return the partitions to compare."""
        source = await self._clusters[0].metadata()
        selected = await self._selector.select(source.topics.values())
        keys = {(name, number) for name in selected for number in selected[name].partitions}
        keys |= self._state.record.checkpoints.keys()
        wanted = self._options.topics
        keys = {key for key in keys if wanted is None or wanted.matches(key[0])}
        names = {key[0] for key in keys}
        targets = {self._selector.target_name(name) for name in names}
        self._metadata = [source, await self._clusters[1].metadata(targets)]
        self._compacts = [
            await compacting(cluster, wanted_names)
            for cluster, wanted_names in zip(self._clusters, (names, targets), strict=True)
        ]
        for readers in self._lanes:
            for reader, metadata in zip(readers, self._metadata, strict=True):
                reader.begin_with(metadata)
        return sorted(keys)

    def _mirrored(self, key: TopicPartition) -> Mirrored:
        record = self._state.record
        checkpoint = record.checkpoints[key]
        return Mirrored.of(
            key,
            self._selector.target_name(key[0]),
            checkpoint.progress,
            record.offset_map(key),
            checkpoint.history,
            self._config,
            producer_id=record.identity.producer_id if record.identity else -1,
        )

    async def _partition(
        self, key: TopicPartition, readers: Readers, bounds: Bounds | None
    ) -> PartitionReport:
        """Compare one; `bounds` as they were found for many, None: to be asked for."""
        target_topic = self._selector.target_name(key[0])
        reason = self._incomparable(key)
        if reason is not None:
            return partition_report(key, target_topic, Tally(), reason=reason)
        mirrored = self._mirrored(key)
        tally, extent = Tally(), None
        for _ in range(RETENTION_TRIES):
            tally = Tally()
            try:
                bounds = bounds or await self._bounds(mirrored)
                extent = (
                    mirrored.first_common(bounds), mirrored.acked.source, mirrored.acked.target,
                )  # fmt: skip
                await self._compare(mirrored, readers, bounds, tally)
                reason = None
                break
            except KafkaError as error:
                reason, bounds = str(error), None
                if error.cause != codes.name(Code.OFFSET_OUT_OF_RANGE):
                    break
            except (ConnectError, CorruptBatchError) as error:
                reason = str(error)
                break
        return partition_report(key, target_topic, tally, reason=reason, extent=extent)

    def _incomparable(self, key: TopicPartition) -> str | None:
        checkpoint = self._state.record.checkpoints.get(key)
        if checkpoint is None:
            return "not mirrored yet"
        history = checkpoint.history
        target_key = self._selector.target_name(key[0]), key[1]
        for where, metadata, (topic, number), known in (
            ("source", self._metadata[0], key, history.source_id),
            ("target", self._metadata[1], target_key, history.target_id),
        ):
            found = metadata.topics.get(topic)
            if found is None or number not in found.partitions:
                return f"the {where} has no {topic}/{number}"
            if known != NO_TOPIC_ID and metadata.topic_id(topic) not in (NO_TOPIC_ID, known):
                return f"topic {topic} was deleted and created anew on the {where}"
        return None

    async def _all_bounds(self, keys: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """Ask for the bounds of many; those that nobody answers for are left out.

        Raises ConnectError and KafkaError.
        """
        comparable = {
            key: (self._selector.target_name(key[0]), key[1])
            for key in keys
            if self._incomparable(key) is None
        }
        found = []
        for side, at in _PLACES:
            wanted = comparable.values() if side else comparable.keys()
            metadata = self._metadata[side]
            found.append(
                await self._clusters[side].list_offsets(dict.fromkeys(wanted, at), metadata)
            )
        return {
            key: Bounds(found[0][key], found[1][target], found[2][target])
            for key, target in comparable.items()
            if key in found[0] and target in found[1] and target in found[2]
        }

    async def _bounds(self, mirrored: Mirrored) -> Bounds:
        found = []
        for side, at in _PLACES:
            key = mirrored.target_key if side else mirrored.key
            cluster = self._clusters[side]
            offsets = await cluster.list_offsets({key: at}, self._metadata[side])
            if key not in offsets:
                self._metadata[side] = await cluster.metadata()
                raise KafkaError(
                    "reading", f"{key[0]}/{key[1]} on cluster {cluster.name}",
                    "its leader does not answer", retriable=True,
                )  # fmt: skip
            found.append(offsets[key])
        return Bounds(*found)

    async def _compare(
        self, mirrored: Mirrored, readers: Readers, bounds: Bounds, tally: Tally
    ) -> None:
        full = self._options.full
        rules = replace(
            mirrored.rules(bounds),
            # What may not be asked for is taken for compacted: silence is no proof of a loss.
            source_compacts=self._compacts[0].get(mirrored.key[0], True),
            target_compacts=self._compacts[1].get(mirrored.target_key[0], True),
            show=self._options.show,
        )
        first = mirrored.first_common(bounds)
        if full:
            mirrored.count_gone(bounds, tally)
        ranges = [(first, mirrored.acked.source)] if full else sample(first, mirrored.acked.source)
        for each in ranges:
            await compare_range(
                mirrored,
                readers,
                each,
                bounds.target_end,
                rules,
                tally,
                max_bytes=None if full else SAMPLE_BYTES,
            )


def sample(first: int, end: int) -> list[tuple[int, int]]:
    """Choose ranges of offsets between two: the oldest, the newest, and some between at random."""
    if end - first <= (RANDOM_RANGES + 2) * SAMPLE_RECORDS:
        return [(first, end)]
    starts = [first, end - SAMPLE_RECORDS]
    starts += [random.randrange(first, end - SAMPLE_RECORDS) for _ in range(RANDOM_RANGES)]  # noqa: S311
    ranges: list[tuple[int, int]] = []
    for start in sorted(starts):
        begin = max(start, ranges[-1][1]) if ranges else start
        if begin < start + SAMPLE_RECORDS:
            ranges.append((begin, start + SAMPLE_RECORDS))
    return ranges
