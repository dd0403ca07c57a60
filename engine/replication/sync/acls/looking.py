"""Looking at both clusters, and the plan that follows; changes nothing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.api.acl_snapshots import AclPreview
from engine.config.flow_section import FlowConfig
from engine.errors import KafkaError
from engine.kafka import acls
from engine.kafka.acl_bindings import AclBinding, ResourceType
from engine.kafka.cluster import Cluster
from engine.kafka.groups import list_groups
from engine.kafka.metadata import ClusterMetadata
from engine.replication.state_records import FlowRecord
from engine.replication.sync.acls.from_elsewhere import FromElsewhere
from engine.replication.sync.acls.memory import Memory, remembered
from engine.replication.sync.acls.plan import AclPlan, Sides, make_plan
from engine.replication.sync.acls.rules import Rules
from engine.replication.sync.acls.wanted import Scope


class AclLook:
    """Compares the ACLs of two clusters, as often as one likes."""

    def __init__(self, config: FlowConfig, source: Cluster, target: Cluster) -> None:
        self._rules = Rules.of(config, target.config)
        self._source = source
        self._target = target
        self._from_elsewhere = FromElsewhere(source)

    def close(self) -> None:
        """Let go of the connections."""
        self._from_elsewhere.close()

    async def plan(
        self, mirrors: Mapping[str, str], metadata: ClusterMetadata, memory: Memory
    ) -> AclPlan:
        """Return what is to be done for mirrors (target names by source topic) and for groups.

        `metadata` is the source's. Raises NoAuthorizerError naming the cluster that has none,
        ConnectError, KafkaError, and TooSlowError for a regex of principals or groups.
        """
        # Before and after: a flow remembers before it creates, and forgets after it deleted.
        known = await self._from_elsewhere.created(metadata)
        topics, groups = await self._bindings(self._source)
        known |= await self._from_elsewhere.created(metadata)
        source = (topics | groups) - known
        target_topics, target_groups = await self._bindings(self._target)
        sides = Sides(source, target_topics | target_groups, await acls.openness(self._target))
        names = await self._group_names(groups)
        scope = Scope(mirrors, names)
        return await asyncio.to_thread(make_plan, sides, scope, self._rules, memory)

    async def _bindings(
        self, cluster: Cluster
    ) -> tuple[frozenset[AclBinding], frozenset[AclBinding]]:
        topics = await acls.describe_acls(cluster, ResourceType.TOPIC)
        return topics, await acls.describe_acls(cluster, ResourceType.GROUP)

    async def _group_names(self, bindings: frozenset[AclBinding]) -> frozenset[str]:
        """Return the names of the source's groups, if a binding does not name its own."""
        if all(binding.pattern.is_literal for binding in bindings):
            return frozenset()
        return frozenset(await list_groups(self._source))


async def preview_acls(
    config: FlowConfig,
    clusters: tuple[Cluster, Cluster],
    mirrors: Mapping[str, str],
    metadata: ClusterMetadata,
    record: FlowRecord,
) -> tuple[AclPreview | None, list[str]]:
    """Return what carrying ACLs would do now, or None and why that cannot be told.

    `metadata` is the source's, `mirrors` are target names by source topic. Raises ConnectError and
    TooSlowError.
    """
    look = AclLook(config, *clusters)
    try:
        plan = await look.plan(mirrors, metadata, remembered(record))
        return await asyncio.to_thread(plan.preview), []
    except KafkaError as error:
        return None, [f"ACLs: {error}"]
    finally:
        look.close()
