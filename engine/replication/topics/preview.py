"""What a flow does with its source's topics, shown before it is done; changes nothing.

The selection, the plan and the requests that ask brokers beforehand are those that act.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from engine.api.acl_snapshots import AclPreview
from engine.api.offsets_snapshots import AlignmentPreview
from engine.api.preview_snapshots import (
    Action,
    Conflict,
    ConflictKind,
    Decision,
    PreviewSnapshot,
    SelectionSnapshot,
    TopicPlan,
    TopicPreview,
    TopicSize,
)
from engine.config.flow_section import FlowConfig, Offsets, TopicSelection
from engine.errors import KafkaError
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import ClusterMetadata, TopicMetadata
from engine.replication.board import Board
from engine.replication.identical.looking import preview_alignment
from engine.replication.state_records import FlowRecord
from engine.replication.sync.acls.looking import preview_acls
from engine.replication.topics.agreed import agreed_values
from engine.replication.topics.listing import Listing
from engine.replication.topics.mirrors import Mirrors
from engine.replication.topics.selection import TopicSelector
from engine.replication.topics.sizes import Sizes, offsets

LISTED_FOR_S = 5.0
"""So long the source's list of topics serves regexes that are being typed."""
_NO_SIZE = TopicSize(None, None, None)


class Previewer:
    """Answers for one flow, whoever runs it."""

    def __init__(
        self,
        flow: str,
        config: FlowConfig,
        clusters: tuple[Cluster, Cluster],
        board: Board,
        record: Callable[[], FlowRecord],
    ) -> None:
        """`record` returns the flow's state as it is known just now."""
        self._flow = flow
        self._config = config
        self._source, self._target = clusters
        self._board = board
        self._record = record
        self._own = TopicSelector(config)
        self._mirrors = Mirrors(flow, config, *clusters)
        self._sizes = Sizes(self._source)
        self._listing = Listing(self._source)

    @property
    def clusters(self) -> tuple[Cluster, Cluster]:
        """Source and target."""
        return self._source, self._target

    def trying(self, flow: str, config: FlowConfig) -> Previewer:
        """Return one for another section between the same clusters; it lists no topics anew."""
        tried = Previewer(flow, config, self.clusters, self._board, self._record)
        tried._listing, tried._sizes = self._listing, self._sizes
        return tried

    def _selector(self, topics: TopicSelection | None) -> TopicSelector:
        if topics is None or topics == self._config.topics:
            return self._own
        return TopicSelector(self._config, topics)

    async def select(self, topics: TopicSelection | None) -> SelectionSnapshot:
        """Return what regexes select, the flow's own by default.

        Raises TooSlowError, and ConnectError and KafkaError when the source does not list topics.
        """
        selector = self._selector(topics)
        source = await self._listing.topics(at_most_old=LISTED_FOR_S)
        began = time.perf_counter()
        decisions = await selector.decide(source.topics.values())
        distinct: dict[Decision, int] = {}
        rows = tuple(
            (
                name,
                len(source.topics[name].partitions),
                distinct.setdefault(decisions[name], len(distinct)),
            )
            for name in sorted(decisions)
        )
        return SelectionSnapshot(
            self._flow,
            tuple(selector.topics.include),
            tuple(selector.topics.exclude),
            sum(decision.taken for decision in decisions.values()),
            tuple(distinct),
            rows,
            self._listing.at,
            time.perf_counter() - began,
            selector.prefix,
        )

    async def preview(
        self,
        topics: TopicSelection | None,
        also_written: Mapping[str, str],
        notes: Iterable[str] = (),
    ) -> PreviewSnapshot:
        """Return what would be done with each topic, and how large it is.

        `also_written` are mirrors that other flows write. Raises as `select` does, and when the
        target cannot be asked.
        """
        began = time.perf_counter()
        selector = self._selector(topics)
        source = await self._listing.topics(at_most_old=0.0)
        decisions = await selector.decide(source.topics.values())
        chosen = {name: source.topics[name] for name in decisions if decisions[name].taken}
        plans = await self._plans(chosen, selector, also_written)
        sizes, more_notes = await self._sizes.look(source)
        acls, acl_notes = await self._acls(plans, source)
        found = [
            TopicPreview(
                name,
                len(source.topics[name].partitions),
                decisions[name],
                sizes.get(name, _NO_SIZE),
                plans.get(name),
            )
            for name in decisions
        ]
        found += await self._gone(selector, source)
        return PreviewSnapshot(
            self._flow,
            self._source.name,
            self._target.name,
            tuple(selector.topics.include),
            tuple(selector.topics.exclude),
            tuple(sorted(found, key=lambda each: each.topic)),
            (*notes, *more_notes, *acl_notes),
            time.time(),
            time.perf_counter() - began,
            acls,
            await self._alignment(plans, source),
        )

    async def _alignment(
        self, plans: Mapping[str, TopicPlan], source: ClusterMetadata
    ) -> AlignmentPreview | None:
        if self._config.offsets != Offsets.IDENTICAL:
            return None
        mirrors = {
            topic: plan.target_topic for topic, plan in plans.items() if plan.blocked is None
        }
        clusters = self._source, self._target
        return await preview_alignment(self._config, clusters, mirrors, source, self._record())

    async def _acls(
        self, plans: Mapping[str, TopicPlan], source: ClusterMetadata
    ) -> tuple[AclPreview | None, list[str]]:
        if not self._config.sync.acls:
            return None, []
        mirrors = {
            topic: plan.target_topic for topic, plan in plans.items() if plan.blocked is None
        }
        clusters = self._source, self._target
        return await preview_acls(self._config, clusters, mirrors, source, self._record())

    async def _plans(
        self,
        chosen: Mapping[str, TopicMetadata],
        selector: TopicSelector,
        also_written: Mapping[str, str],
    ) -> dict[str, TopicPlan]:
        names = {topic: selector.target_name(topic) for topic in chosen}
        target = await self._target.metadata(names.values())
        facts = await self._mirrors.facts(
            chosen,
            names,
            target,
            list(chosen),
            agreed=agreed_values(self._record()),
            strangers=await self._strangers(names, target),
            also_written=also_written,
        )
        plans = (await self._mirrors.plan(facts)).topics
        refused = await self._mirrors.create(plans.values(), validate_only=True)
        refused |= await self._mirrors.configure(plans.values(), validate_only=True)
        return {topic: _judged(plan, refused.get(topic)) for topic, plan in plans.items()}

    async def _strangers(self, names: Mapping[str, str], target: ClusterMetadata) -> dict[str, int]:
        """Return how many records mirrors hold that this flow has never written to."""
        ours = {p.topic for p in self._board.partitions.values() if p.positioned}
        others = {
            name: topic
            for topic, name in names.items()
            if topic not in ours and name in target.topics and target.topics[name].partitions
        }
        first, end = await asyncio.gather(
            offsets(self._target, others, EARLIEST, target),
            offsets(self._target, others, LATEST, target),
        )
        held: dict[str, int] = {}
        for key in end.keys() & first.keys():
            topic = others[key[0]]
            held[topic] = held.get(topic, 0) + end[key] - first[key]
        return held

    async def _gone(self, selector: TopicSelector, source: ClusterMetadata) -> list[TopicPreview]:
        """Topics that were mirrored and are there no more, which the source itself says."""
        mirrors = {
            p.topic: p.target_topic
            for p in self._board.partitions.values()
            if p.positioned and p.topic not in source.topics
        }
        if not mirrors:
            return []
        asked = await self._source.metadata(mirrors)
        missing = [
            TopicMetadata(name, internal=False, error=0, partitions={})
            for name in mirrors
            if asked.topics[name].error == Code.UNKNOWN_TOPIC_OR_PARTITION
        ]
        decisions = await selector.decide(missing)
        target = await self._target.metadata(mirrors.values())
        return [
            self._gone_one(name, mirrors[name], decision, target)
            for name, decision in decisions.items()
        ]

    def _gone_one(
        self, name: str, mirror: str, decision: Decision, target: ClusterMetadata
    ) -> TopicPreview:
        known = target.topics.get(mirror)
        plan = TopicPlan(
            name,
            mirror,
            Action.DELETE if self._config.sync.deletions else Action.KEEP,
            0,
            len(known.partitions) if known else 0,
            known.replication_factor if known else 0,
        )
        return TopicPreview(name, 0, decision, _NO_SIZE, plan)


def _judged(plan: TopicPlan, refused: KafkaError | None) -> TopicPlan:
    """Add what the target's brokers said to a plan when they were asked beforehand."""
    if refused is None:
        return plan
    creates = plan.action == Action.CREATE
    conflict = Conflict(ConflictKind.REFUSED, refused.cause, refused.next_step, blocks=creates)
    return replace(
        plan,
        action=Action.REFUSE if creates else plan.action,
        conflicts=(*plan.conflicts, conflict),
    )
