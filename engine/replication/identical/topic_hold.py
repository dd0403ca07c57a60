"""What is otherwise on a mirror topic while its partitions are aligned, and put back afterwards.

Its cleanup.policy, where that is compact alone: DeleteRecords is refused then. And READ, where the
cluster has an authorizer: fillers are seen by whoever reads uncommitted data. Both stand in the
flow's state topic before they are done, as `sync/identical/<mirror topic>`, so that an engine that
starts after a crash puts them back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from engine.api.snapshots import Severity
from engine.errors import CcrError, KafkaError
from engine.kafka.acl_bindings import (
    ANY_HOST,
    EVERYONE,
    AclBinding,
    Operation,
    Pattern,
    Permission,
    ResourceType,
)
from engine.kafka.acls import NoAuthorizerError, create_acls, delete_acls, describe_acls
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.topic_configs import alter_configs, described_configs
from engine.replication.backoff import Backoff
from engine.replication.identical.entries import Value, hold_entry
from engine.replication.state_log import SupersededError
from engine.replication.state_records import Entry
from engine.replication.sync.syncer import SyncContext

LEAST_PAUSE_S, MOST_PAUSE_S = 1.0, 30.0

_POLICY = "cleanup.policy"
# Wide only as far as DeleteRecords needs it: retention must not take records meanwhile.
_WIDE = {_POLICY: "compact,delete", "retention.ms": "-1", "retention.bytes": "-1"}


class TopicHold:
    """One mirror topic's."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        remember: Callable[[Iterable[Entry]], Awaitable[None]],
        value: Value | None = None,
    ) -> None:
        """`value` is what a former run put on record, if it did not get to putting it back."""
        self._cluster = cluster
        self._topic = topic
        self._remember = remember
        self._value: dict[str, Any] = dict(value or {})

    @property
    def value(self) -> Value:
        """What has to be put back, as it is on record; empty when nothing has."""
        return self._value

    @property
    def withheld(self) -> bool:
        """Whether nobody but super users may read the topic now."""
        return bool(self._value.get("withheld"))

    async def widen(self) -> None:
        """Let DeleteRecords be taken; raises KafkaError when the configs may not be changed."""
        if "configs" in self._value:
            return
        found, refused = await described_configs(self._cluster, [self._topic], _WIDE)
        if self._topic in refused and refused[self._topic].retriable:
            raise refused[self._topic]
        config = found.get(self._topic)
        if config is None:
            return  # may not be read: DeleteRecords tells if it was needed
        if "delete" in config.values.get(_POLICY, "delete").split(","):
            return
        own = config.own_values
        await self._note(configs={name: own.get(name) for name in _WIDE})
        await self._alter(_WIDE)

    async def withhold(self) -> str:
        """Deny READ to everybody; return in words whether that was done."""
        binding = self._binding()
        try:
            if binding in await describe_acls(self._cluster, ResourceType.TOPIC):
                return "READ is denied to everybody anyway"
            await self._note(withheld=True)
            refused = await create_acls(self._cluster, [binding])
        except NoAuthorizerError:
            await self._forget("withheld")
            return "the cluster has no authorizer to withhold READ with"
        except KafkaError as error:
            await self._forget("withheld")
            return f"READ could not be withheld: {error.cause}"
        if refused:
            await self._forget("withheld")
            return f"READ could not be withheld: {refused[binding].cause}"
        return "READ on it is withheld meanwhile"

    async def restore(self) -> None:
        """Put everything back; after ConnectError and KafkaError it has to be tried again."""
        if self.withheld:
            binding = self._binding()
            try:
                refused = await delete_acls(self._cluster, [binding])
            except NoAuthorizerError:
                refused = {}
            if refused:
                raise refused[binding]
            await self._forget("withheld")
        if "configs" in self._value:
            await self._alter(self._value["configs"])
            await self._forget("configs")

    async def _alter(self, configs: dict[str, str | None] | dict[str, str]) -> None:
        refused = await alter_configs(self._cluster, {self._topic: configs})
        if self._topic in refused:
            raise refused[self._topic]

    def _binding(self) -> AclBinding:
        return AclBinding(
            Pattern(ResourceType.TOPIC, self._topic),
            EVERYONE,
            ANY_HOST,
            Operation.READ,
            Permission.DENY,
        )

    async def _note(self, **values: Any) -> None:
        await self._remember([hold_entry(self._topic, {**self._value, **values})])
        self._value.update(values)

    async def _forget(self, name: str) -> None:
        if self._value.pop(name, None) is not None:
            await self._remember([hold_entry(self._topic, self._value or None)])


async def put_back(context: SyncContext, left: Mapping[str, Value]) -> None:
    """Put back what is otherwise on topics, however long that takes; raises SupersededError."""
    for topic, value in left.items():
        hold = TopicHold(context.target, topic, context.remember, value)
        backoff = Backoff(LEAST_PAUSE_S, MOST_PAUSE_S)
        told = ""
        while hold.value:
            try:
                await hold.restore()
            except SupersededError:
                raise
            except (CcrError, ConnectionLostError) as error:
                if str(error) != told:
                    told = str(error)
                    text = f"what aligning changed on it is not put back yet: {told}"
                    context.events.emit(Severity.ERROR, f"{context.flow}/{topic}", text)
                await backoff.sleep()
