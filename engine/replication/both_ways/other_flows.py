"""The offset maps of the flows around one flow, as their state topics have them.

Those that write into our source stand on our source, those that write into our target on our
target: both can be read from here, whoever runs them.
"""

from __future__ import annotations

from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.replication.both_ways.inbound import InboundFlow, InboundFlows
from engine.replication.both_ways.lower_bound import Bound, Leg, OriginLegs, lower_bound, over_ours
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.partition import MirrorPartition
from engine.replication.state_log import StateLog
from engine.replication.state_records import Checkpoint
from engine.replication.sync.syncer import SyncContext


class OtherFlows:
    """Follows their state topics; reads no more than what was added."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._into_source = InboundFlows(context.source)
        self._into_target = InboundFlows(context.target)
        self._logs: dict[tuple[str, str], StateLog] = {}  # by cluster and flow
        self._legs: list[tuple[StateLog, StateLog | None]] = []  # into source, into target
        self._made: dict[tuple[StateLog, TopicPartition], tuple[Checkpoint, Leg]] = {}

    def close(self) -> None:
        """Let go of the connections; reading again begins anew."""
        self._into_source.close()
        self._into_target.close()
        for log in self._logs.values():
            log.forget()

    async def read(self) -> None:
        """Bring the maps up to date; raises ConnectError, KafkaError and ConnectionLostError."""
        if not takes_local_only(self._context.config):
            return
        source = await self._context.source.metadata()
        await self._into_source.look(source)
        others = [flow for flow in self._into_source.flows if flow.source_id and not flow.renames]
        if not others:
            self._legs = []
            return
        target = await self._context.target.metadata()
        await self._into_target.look(target)
        direct = {flow.source_id: flow for flow in self._into_target.flows if not flow.renames}
        legs: list[tuple[StateLog, StateLog | None]] = []
        for flow in others:
            if flow.source_id == target.cluster_id:
                legs.append((await self._log(self._context.source, flow), None))
            elif flow.source_id in direct:
                into_source = await self._log(self._context.source, flow)
                into_target = await self._log(self._context.target, direct[flow.source_id])
                legs.append((into_source, into_target))
        self._legs = legs

    async def _log(self, cluster: Cluster, flow: InboundFlow) -> StateLog:
        """Return a flow's state, up to date; made anew when its topic was."""
        key = cluster.name, flow.name
        log = self._logs.get(key)
        identity = log.record.identity if log else None
        if log is not None and identity and identity.producer_id != flow.producer_id:
            log.forget()
            self._made = {made: leg for made, leg in self._made.items() if made[0] is not log}
            log = None
        if log is None:
            log = self._logs[key] = StateLog(flow.name, cluster, this_engine())
        await log.read()
        return log

    @property
    def any(self) -> bool:
        """Whether there are other flows: where there are none, our own map says it all."""
        return bool(self._legs)

    def translate(self, partition: MirrorPartition, commit: int, target_end: int) -> Bound:
        """Translate what a group committed on the source.

        `target_end` is the end of the target's log, asked for before this is called: what our flow
        has not appended by now goes behind it.
        """
        acked = partition.acked
        settled = partition.active and partition.idle
        ours = Leg(partition.offset_map, acked.source, target_end if settled else acked.target)
        return lower_bound(commit, target_end, self._origins(partition, ours))

    def _origins(self, partition: MirrorPartition, ours: Leg) -> list[OriginLegs]:
        """Return by which ways the records of a partition's origins came to source and target."""
        key, others = partition.key, partition.history.foreign > 0
        found = [OriginLegs(None, ours)]
        for into_source, into_target in self._legs:
            first = self._leg(into_source, key)
            second = self._leg(into_target, key) if into_target else None
            if first is not None and into_target is None:
                first = over_ours(first, ours.offset_map, partition.acked.target, others=others)
            if first is not None and (second is not None or into_target is None):
                found.append(OriginLegs(first, second))
        return found

    def _leg(self, log: StateLog, key: TopicPartition) -> Leg | None:
        """Return a partition's leg as its newest checkpoint has it; None when it has none."""
        checkpoint = log.record.checkpoints.get(key)
        if checkpoint is None:
            return None
        made = self._made.get((log, key))
        if made is None or made[0] is not checkpoint:
            progress = checkpoint.progress
            leg = Leg(log.record.offset_map(key), progress.source, progress.target)
            self._made[log, key] = made = checkpoint, leg
        return made[1]
