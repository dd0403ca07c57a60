"""The fence of clusters with an authorizer: DENY WRITE on the topics, by their literal names."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping

from engine.config.switch_section import FenceKind
from engine.errors import KafkaError
from engine.kafka import acls
from engine.kafka.acl_bindings import (
    ANY_HOST,
    EVERYONE,
    AclBinding,
    Operation,
    Pattern,
    Permission,
    ResourceType,
)
from engine.kafka.cluster import Cluster
from engine.kafka.describe_cluster import cluster_operations
from engine.runbook.fences.asking import ask_all, settled, told_by, verdict
from engine.runbook.fences.protocol import AclRecord, Done, Evidence, FenceRecord
from engine.runbook.fences.wording import all_in_one, counted, named
from engine.runbook.findings import Finding, stop, warn

_OTHER_FENCE = "Take another fence, e.g. max-message-bytes"
_WRITES = frozenset({Operation.WRITE, Operation.ALL})


class AclFence:
    """Denies WRITE on a flow's source topics to principals; super users write on."""

    kind = FenceKind.ACL

    def __init__(
        self, source: Cluster, flow: str, topics: Iterable[str], principals: Iterable[str]
    ) -> None:
        self._source = source
        self._flow = flow
        self._topics = tuple(sorted(topics))
        self._principals = tuple(principals)

    async def examine(self) -> list[Finding]:
        """Look for an authorizer, for the permissions, and for whom a DENY would not reach."""
        try:
            bindings = await acls.describe_acls(self._source, ResourceType.TOPIC)
        except acls.NoAuthorizerError:
            text = f"Cluster {self._source.name} has no authorizer: an ACL keeps nobody out"
            return [stop(text, _OTHER_FENCE)]
        except KafkaError as error:
            return [stop(f"The ACLs of {self._source.name} cannot be read: {error.cause}",
                         error.next_step)]  # fmt: skip
        findings = await self._may_alter()
        findings += await self._without_acls(bindings)
        findings += self._odd_principals()
        if await acls.has_super_users(self._source):
            text = f"Cluster {self._source.name} has super users: no ACL keeps them out"
            findings.append(warn(text, "If one of them writes to these topics, stop it yourself"))
        return findings

    async def record(self) -> AclRecord:
        """Read which denials there are before."""
        denials = await self._denials()
        kept = [
            (topic, principal)
            for topic, principal in self._pairs(self._topics, self._principals)
            if _binding(topic, principal) in denials
        ]
        ours = {_binding(*pair) for pair in self._pairs(self._topics, self._principals)}
        return AclRecord(
            flow=self._flow,
            source=self._source.name,
            topics=self._topics,
            principals=self._principals,
            kept=tuple(kept),
            others=tuple(_others(denials - ours, self._topics)),
        )

    async def raise_up(self, record: FenceRecord) -> Done:
        """Create the denials."""
        ours = _ours(_expected(record))
        refused = await acls.create_acls(self._source, ours.values())
        if refused:
            raise all_in_one("fencing", self._flow, _by_topic(refused), len(record.topics))

        async def known() -> bool:
            return (await self.stands(record)).stands is not False

        late = await settled(known)
        return Done(f"WRITE is denied on {counted(record.topics)} to {self._whom(record)}", late)

    async def lift(self, record: FenceRecord) -> Done:
        """Delete the denials that the fence made."""
        mine = _expected(record)
        ours = _ours(mine)
        try:
            denials = await self._denials()
        except acls.NoAuthorizerError:
            text = f"Cluster {self._source.name} has no authorizer any more: nothing is denied"
            return Done(text)
        # Also those that seem not to be there: a broker may not know of the fence yet.
        refused = await acls.delete_acls(self._source, ours.values())
        if refused:
            raise all_in_one(
                "lifting the fence of", self._flow, _by_topic(refused), len(record.topics)
            )
        added = set(_others(denials - set(ours.values()), record.topics)) - {
            *mine.others,
            *(_words(_binding(*pair)) for pair in mine.kept),
        }
        findings = [
            warn(f"{each} came meanwhile, not from the fence: left alone", "Remove it if need be")
            for each in sorted(added)
        ]
        gone = frozenset(ours.values())

        async def known() -> bool:
            told, _ = await self._ask_brokers()
            return not any(gone & denials for denials in told)

        findings += await settled(known)
        lifted = {topic for topic, _ in ours}
        return Done(f"WRITE is no longer denied on {counted(lifted)}", tuple(findings))

    async def stands(self, record: FenceRecord, topics: Collection[str] = ()) -> Evidence:
        """Ask every broker whether it knows the denials."""
        mine = _expected(record)
        wanted = {_binding(*pair) for pair in self._pairs(mine.topics, mine.principals)}
        told, asked = await self._ask_brokers()
        missing = {binding.pattern.name for denials in told for binding in wanted - denials}
        fenced = len(mine.topics) - len(missing)
        return Evidence(
            verdict(missing, all_told=len(told) == asked),
            f"WRITE is denied on {fenced:,} of {counted(mine.topics)}, {told_by(len(told), asked)}",
            tuple(sorted(missing)),
            tuple(sorted(set(topics) - set(mine.topics))),
        )

    async def _ask_brokers(self) -> tuple[list[frozenset[AclBinding]], int]:
        """Return what brokers told, of how many that were asked."""
        nodes = sorted((await self._source.metadata([])).brokers)
        return await ask_all(self._denials(node) for node in nodes), len(nodes)

    async def _denials(self, node: int | None = None) -> frozenset[AclBinding]:
        return await acls.describe_acls(
            self._source, ResourceType.TOPIC, Permission.DENY, node=node
        )

    async def _may_alter(self) -> list[Finding]:
        try:
            allowed = await cluster_operations(self._source)
        except KafkaError as error:  # before Kafka 2.8
            text = f"Whether ccr may make ACLs on {self._source.name} is not told: {error.cause}"
            return [warn(text, "It needs ALTER on the cluster")]
        if allowed >> Operation.ALTER & 1:
            return []
        return [
            stop(
                f"ccr may not make ACLs on cluster {self._source.name}",
                "Grant ALTER on the cluster (docs/permissions.md)",
            )
        ]

    async def _without_acls(self, bindings: frozenset[AclBinding]) -> list[Finding]:
        """Look for topics that a DENY would shut altogether, or not for those who write."""
        bare, unwritten = await asyncio.to_thread(_unallowed, self._topics, bindings)
        openness = await acls.openness(self._source) if bare else None
        if openness is not None:
            return [
                stop(
                    f"No ACL is about {named(bare)}, and {openness.why}: the fence's DENY would be"
                    " the first one, and take READ from everybody too, ccr among them",
                    f"Allow READ on them first. {_OTHER_FENCE}",
                )
            ]
        if unwritten:
            return [
                warn(
                    f"No ACL lets anybody write to {named(unwritten)}: whoever does is a super"
                    " user, whom the fence does not keep out",
                    _OTHER_FENCE,
                )
            ]
        return []

    def _odd_principals(self) -> list[Finding]:
        odd = [each for each in self._principals if ":" not in each]
        findings = [
            stop(f"{each} is no principal", f"Write its type, too: User:{each}") for each in odd
        ]
        if EVERYONE not in self._principals:
            text = f"Only {', '.join(self._principals)} will be kept out; others may write on"
            findings.append(warn(text))
        return findings

    @staticmethod
    def _pairs(topics: Iterable[str], principals: Collection[str]) -> list[tuple[str, str]]:
        return [(topic, principal) for topic in topics for principal in principals]

    @staticmethod
    def _whom(record: FenceRecord) -> str:
        principals = _expected(record).principals
        return "everybody" if EVERYONE in principals else ", ".join(principals)


def _binding(topic: str, principal: str) -> AclBinding:
    pattern = Pattern(ResourceType.TOPIC, topic)
    return AclBinding(pattern, principal, ANY_HOST, Operation.WRITE, Permission.DENY)


def _ours(record: AclRecord) -> dict[tuple[str, str], AclBinding]:
    """Return the denials that are the fence's to make and to delete."""
    kept = set(record.kept)
    return {
        (topic, principal): _binding(topic, principal)
        for topic in record.topics
        for principal in record.principals
        if (topic, principal) not in kept
    }


def _by_topic(refused: Mapping[AclBinding, KafkaError]) -> dict[str, KafkaError]:
    return {binding.pattern.name: error for binding, error in refused.items()}


def _words(binding: AclBinding) -> str:
    return f"{binding} on {binding.pattern}"


def _others(denials: Iterable[AclBinding], topics: Collection[str]) -> list[str]:
    """Say which denials keep somebody from writing to some of the topics."""
    return sorted(
        _words(binding)
        for binding in denials
        if binding.operation in _WRITES and any(map(binding.pattern.matches, topics))
    )


def _unallowed(
    topics: Iterable[str], bindings: frozenset[AclBinding]
) -> tuple[list[str], list[str]]:
    """Return the topics that no ACL is about, and those that none lets anybody write to."""
    about: dict[Pattern, bool] = {}  # does one of its bindings allow writing?
    for binding in bindings:
        allows = binding.permission == Permission.ALLOW and binding.operation in _WRITES
        about[binding.pattern] = about.get(binding.pattern, False) or allows
    wide = [pattern for pattern in about if not pattern.is_literal]
    bare, unwritten = [], []
    for topic in topics:
        literal = Pattern(ResourceType.TOPIC, topic)
        found = [about[pattern] for pattern in wide if pattern.matches(topic)]
        found += [about[literal]] if literal in about else []
        if not found:
            bare.append(topic)
        if not any(found):
            unwritten.append(topic)
    return bare, unwritten


def _expected(record: FenceRecord) -> AclRecord:
    if not isinstance(record, AclRecord):
        raise TypeError(f"a record of fence {record.kind}")
    return record
