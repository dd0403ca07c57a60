"""Whose batches a flow leaves out of its source, and how that is learnt, kept and shown.

What another flow appended to the source says so by itself (`marks`). Which flow it was is looked up
in the source's state topics: a flow's identity stands there before its first append, so it is found
when it is asked for. Before the first batch of a flow is left out, its id is written to our own
state topic: so it stands on both clusters, and stays known when the other one is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from engine.api.both_ways_snapshots import InboundFlowSnapshot
from engine.api.snapshots import OutOfStep, Severity
from engine.errors import KafkaError
from engine.kafka.metadata import ClusterMetadata
from engine.replication.both_ways.inbound import InboundFlow, InboundFlows
from engine.replication.both_ways.marks import Inbound, takes_local_only
from engine.replication.both_ways.promoted import refuse_promoted
from engine.replication.partition import MirrorPartition
from engine.replication.state_records import Ends, Entry, ends_entry
from engine.replication.sync.syncer import Outcome, SyncContext
from engine.replication.troubles import UnknownOrigin

PATIENCE_S = 15.0  # brokers may take so long to hear of a state topic that was just made
CHAINS_S = 60.0  # between two looks at whether what is left out comes by another flow,
CALM_S = 600.0  # when it did


class Provenance:
    """One flow's knowledge of the flows into its source; a syncer, so that it shows how it gets on.

    `inbound` are those whose batches are left out, for pumps; None when nobody's are.
    """

    name = "provenance"

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self.interval = context.config.topic_refresh
        self._known: Inbound = {}
        self.inbound: Inbound | None = self._known if takes_local_only(context.config) else None
        self._into_source = InboundFlows(context.source)
        self._into_target = InboundFlows(context.target)
        self._metadata: ClusterMetadata | None = None  # of the source
        self._prepared = False
        self._refused = False  # as another flow's mirrors were promoted
        self._target_id = ""
        self._ends = context.record.ends
        self._unknown: dict[int, float] = {}  # ids that no state topic has, since when (monotonic)
        self._chains: list[OutOfStep] = []
        self._chains_at = float("-inf")  # monotonic
        self._looking = asyncio.Lock()

    def close(self) -> None:
        """Let go of the connections."""
        self._into_source.close()
        self._into_target.close()

    @property
    def flows(self) -> list[InboundFlow]:
        """The flows that write into the source, by name."""
        return self._into_source.flows

    @property
    def two_way(self) -> bool:
        """Whether a flow reads our target back into our source: others write there by right."""
        return any(self.is_back(flow) for flow in self._into_source.flows)

    def is_back(self, flow: InboundFlow) -> bool:
        """Whether a flow reads our target."""
        return bool(flow.source_id) and flow.source_id == self._target_id

    def snapshot(self) -> tuple[InboundFlowSnapshot, ...]:
        """Return the flows that write into the source."""
        return tuple(
            InboundFlowSnapshot(
                flow.name,
                flow.source,
                self.is_back(flow),
                self._known.get(flow.producer_id, 0),
            )
            for flow in self._into_source.flows
        )

    # finding out

    async def prepare(self, source: ClusterMetadata, target: ClusterMetadata) -> None:
        """Note what discovery saw; called before partitions begin, and after every look.

        Raises ConnectError, KafkaError and SupersededError.
        """
        self._metadata, self._target_id = source, target.cluster_id
        if self._prepared:
            return
        for producer_id, value in self._context.record.synced.get(self.name, {}).items():
            if value["cluster"] == source.cluster_id:
                self._known.setdefault(int(producer_id), 0)
        config = self._context.config
        ends = Ends(
            config.source, source.cluster_id, config.target, target.cluster_id, config.rename.value
        )
        if self._ends != ends:
            await self._context.remember([ends_entry(ends)])
            self._ends = ends
        await self._look(source)
        # Again and again while it refuses: a promotion may be withdrawn.
        await self._into_target.look(await self._context.target.metadata(), anew=self._refused)
        self._refused = True
        refuse_promoted(self._context, source.cluster_id, self._into_target.flows)
        self._refused = False
        self._prepared = True

    async def sync_once(self) -> Outcome:
        """Look for flows into the source, and whether what is left out comes another way."""
        if self._metadata is None or not self._prepared:
            return Outcome()
        new = await self._look(self._metadata)
        await self._look_at_chains(self._metadata)
        return Outcome(new, [*self._unreadable(), *self._chains])

    async def _look(self, source: ClusterMetadata, *, anew: bool = False) -> int:
        """Read the source's state topics; return how many flows were not known."""
        async with self._looking:
            await self._into_source.look(source, anew=anew)
            flows = self._into_source.flows
            new = [flow for flow in flows if flow.producer_id not in self._known]
            if not new:
                return 0
            await self._context.remember([self._entry(flow.producer_id, flow) for flow in new])
            for flow in new:
                self._known[flow.producer_id] = 0
                self._unknown.pop(flow.producer_id, None)
                self._context.events.emit(Severity.INFO, self._context.flow, self._words(flow))
            return len(new)

    def _words(self, flow: InboundFlow) -> str:
        done = "goes on to" if self.inbound is None else "is not forwarded to"
        origin = f" what {flow.source} has" if flow.source else ""
        return (
            f"flow {flow.name} writes{origin} into {self._context.source.name}; that {done} "
            f"{self._context.target.name}"
        )

    def _entry(self, producer_id: int, flow: InboundFlow | None) -> Entry:
        cluster = self._metadata.cluster_id if self._metadata else ""
        return f"sync/{self.name}/{producer_id}", {
            "cluster": cluster,
            "flow": flow.name if flow else None,
            "at": time.time(),
        }

    async def learn(self, partition: MirrorPartition, found: UnknownOrigin) -> bool:
        """Find out whose batch a partition came upon; return whether it can go on.

        Raises ConnectError and KafkaError, to be tried again, and SupersededError.
        """
        producer_id = found.producer_id
        if producer_id in self._known:
            return True
        await self._look(await self._context.source.metadata(), anew=True)
        if producer_id in self._known:
            return True
        what = (
            f"a flow of ccr wrote the batch at offset {found.offset} of {partition.topic} (producer"
            f" id {producer_id}), and no state topic on {self._context.source.name} is that flow's"
        )
        if partition.accepts:
            await self._context.remember([self._entry(producer_id, None)])
            self._known[producer_id] = 0
            partition.accepts = False
            self._context.events.emit(
                Severity.WARNING, self._context.flow, f"{what}; what it wrote is left out"
            )
            return True
        since = self._unknown.setdefault(producer_id, time.monotonic())
        if time.monotonic() - since < PATIENCE_S:
            raise KafkaError("finding out", "whose records they are", what, retriable=True)
        partition.stop(
            what,
            "Its state topic was deleted, or may not be read: grant READ on ccr.* there, or leave "
            "out what that flow wrote with ccr retry --accept",
            acceptable=True,
        )
        return False

    # what is left

    def _unreadable(self) -> Iterator[OutOfStep]:
        for flow, why in self._into_source.unreadable.items():
            yield OutOfStep(
                f"flow {flow}",
                f"not known what it writes into {self._context.source.name}: {why}",
                "Grant READ on its state topic",
            )

    async def _look_at_chains(self, source: ClusterMetadata) -> None:
        """Find flows whose records are left out, and reach the target on no other way."""
        now = time.monotonic()
        often = CHAINS_S if self._chains else CALM_S
        if now - self._chains_at < often or not any(map(self._is_left_out, self.flows)):
            return
        self._chains_at = now
        await self._look(source, anew=True)
        await self._into_target.look(await self._context.target.metadata(), anew=True)
        partitions = self._context.board.partitions.values()
        left_out = {partition.topic for partition in partitions if partition.history.left_out}
        self._chains = []
        for flow in filter(self._is_left_out, self.flows):
            lacking = (flow.topics & left_out).difference(
                *(other.topics for other in self._into_target.flows if _same_source(other, flow))
            )
            if lacking:
                self._chains.append(self._chain(flow, sorted(lacking)))

    def _is_left_out(self, flow: InboundFlow) -> bool:
        """Whether records that it brought from a third cluster were left out."""
        third = bool(flow.source_id) and flow.source_id != self._target_id
        return third and bool(self.inbound and self.inbound.get(flow.producer_id))

    def _chain(self, flow: InboundFlow, topics: list[str]) -> OutOfStep:
        here, there = self._context.source.name, self._context.target.name
        what = topics[0] if len(topics) == 1 else f"{len(topics)} topics, {topics[0]} is one,"
        return OutOfStep(
            f"flow {flow.name}",
            f"records of {what} that it mirrors from {flow.source} into {here} are left out, and "
            f"no flow carries them from {flow.source} to {there}",
            f"Add a flow from {flow.source} to {there}, or set origin: any (never in a ring)",
        )


def _same_source(one: InboundFlow, other: InboundFlow) -> bool:
    return one.source_id == other.source_id
