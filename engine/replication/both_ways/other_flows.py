"""The offset maps of the flows around one flow, as their state topics have them.

Those that write into our source stand on our source, those that write into our target on our
target: both can be read from here, whoever runs them.
"""

from __future__ import annotations

from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.kafka.fetch import TopicPartition
from engine.replication.both_ways.inbound import InboundFlow, InboundFlows
from engine.replication.both_ways.lower_bound import Leg, OriginLegs
from engine.replication.both_ways.provenance import Provenance
from engine.replication.state_log import StateLog
from engine.replication.sync.syncer import SyncContext


class OtherFlows:
    """Follows their state topics; reads no more than what was added."""

    def __init__(self, context: SyncContext, provenance: Provenance) -> None:
        self._context = context
        self._provenance = provenance
        self._into_target = InboundFlows(context.target)
        self._logs: dict[tuple[str, str], StateLog] = {}  # by cluster and flow
        self._legs: list[tuple[StateLog, StateLog | None]] = []  # into source, into target

    async def close(self) -> None:
        """Let go of the connections."""
        self._into_target.close()
        for log in self._logs.values():
            await log.close()

    async def read(self) -> None:
        """Bring the maps up to date; raises ConnectError and KafkaError."""
        if self._provenance.inbound is None:
            return
        others = [flow for flow in self._provenance.flows if flow.source_id and not flow.renames]
        third = [flow for flow in others if not self._provenance.is_back(flow)]
        direct: dict[str, InboundFlow] = {}
        if third:
            await self._into_target.look(await self._context.target.metadata())
            direct = {flow.source_id: flow for flow in self._into_target.flows if not flow.renames}
        legs: list[tuple[StateLog, StateLog | None]] = []
        for flow in others:
            if self._provenance.is_back(flow):
                legs.append((await self._log(self._context.source, flow), None))
            elif flow.source_id in direct:
                legs.append(
                    (
                        await self._log(self._context.source, flow),
                        await self._log(self._context.target, direct[flow.source_id]),
                    )
                )
        self._legs = legs

    async def _log(self, cluster: Cluster, flow: InboundFlow) -> StateLog:
        """Return a flow's state, up to date; made anew when its topic was."""
        key = cluster.name, flow.name
        log = self._logs.get(key)
        identity = log.record.identity if log else None
        if log is not None and identity and identity.producer_id != flow.producer_id:
            await log.close()
            log = None
        if log is None:
            log = self._logs[key] = StateLog(flow.name, cluster, this_engine())
        await log.read()
        return log

    def origins(self, key: TopicPartition, ours: Leg) -> list[OriginLegs]:
        """Return by which ways the records of a partition's origins came to source and target.

        One alone, ours, where nobody else writes into either by a flow.
        """
        found = [OriginLegs(None, ours)]
        for into_source, into_target in self._legs:
            first = _leg(into_source, key)
            second = _leg(into_target, key) if into_target else None
            if first is not None and (second is not None or into_target is None):
                found.append(OriginLegs(first, second))
        return found


def _leg(log: StateLog, key: TopicPartition) -> Leg | None:
    """Return a partition's leg as its newest checkpoint has it; None when it is not mirrored."""
    checkpoint = log.record.checkpoints.get(key)
    if checkpoint is None:
        return None
    progress = checkpoint.progress
    return Leg(log.record.offset_map(key), progress.source, progress.target)
