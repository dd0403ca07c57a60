"""What ccr remembers of ACLs in the state topic: what it created, and what promotion has to grant.

One entry a resource of the target, `sync/acls/topic/<mirror>` or `sync/acls/group/<pattern type>/
<name>` (docs/state.md):

    {"c": created, "w": withheld, "d": DENYs not carried}

each a list of [principal, host, operation, permission].
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from engine.kafka.acl_bindings import (
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)
from engine.replication.state_records import Entry, FlowRecord

SYNCER = "acls"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bindings of the target."""

    created: frozenset[AclBinding] = frozenset()
    """By ccr, and by nobody else; what may be deleted again."""
    withheld: frozenset[AclBinding] = frozenset()
    """ALLOWs that promotion has to create, as they stand here."""
    not_carried: frozenset[AclBinding] = frozenset()
    """DENYs of the source that the target lacks; promotion has to weigh them."""

    @property
    def parts(self) -> dict[str, frozenset[AclBinding]]:
        """Its parts, as they are called in the state topic."""
        return {"c": self.created, "w": self.withheld, "d": self.not_carried}

    def on(self, topics: Collection[str]) -> Memory:
        """Return what is about some of the target's topics."""

        def about(bindings: frozenset[AclBinding]) -> frozenset[AclBinding]:
            return frozenset(
                each
                for each in bindings
                if each.pattern.resource == ResourceType.TOPIC and each.pattern.name in topics
            )

        return Memory(about(self.created), about(self.withheld), about(self.not_carried))


def withheld(record: FlowRecord, mirrors: Collection[str]) -> Memory:
    """Return what promoting mirrors has to deal with: `withheld` to grant, `not_carried` to weigh.

    Read the state topic first. A mirror whose ACLs were never looked at has nothing here. What was
    `created` becomes the cluster's own by a promotion: forgotten, a flow back carries it.
    """
    return remembered(record).on(mirrors)


def remembered(record: FlowRecord) -> Memory:
    """Return what the state topic holds; what a newer ccr wrote is left out."""
    parts: dict[str, set[AclBinding]] = {"c": set(), "w": set(), "d": set()}
    for key, value in record.synced.get(SYNCER, {}).items():
        pattern = _pattern(key)
        if pattern is None:
            continue
        for part, bindings in parts.items():
            found = (_binding(pattern, row) for row in value.get(part, ()))
            bindings.update(binding for binding in found if binding is not None)
    return Memory(frozenset(parts["c"]), frozenset(parts["w"]), frozenset(parts["d"]))


def changes(before: Memory, after: Memory) -> list[Entry]:
    """Return the entries that lead from one to the other."""
    touched = {
        binding.pattern
        for one, other in zip(before.parts.values(), after.parts.values(), strict=True)
        for binding in one ^ other
    }
    if not touched:
        return []
    values: dict[Pattern, dict[str, Any]] = {}
    for part, bindings in after.parts.items():
        for binding in sorted(each for each in bindings if each.pattern in touched):
            row = [
                binding.principal,
                binding.host,
                binding.operation.name,
                binding.permission.name,
            ]
            values.setdefault(binding.pattern, {}).setdefault(part, []).append(row)
    return [(f"sync/{SYNCER}/{_key(pattern)}", values.get(pattern)) for pattern in sorted(touched)]


def _key(pattern: Pattern) -> str:
    kind = pattern.resource.name.lower()
    if pattern.resource == ResourceType.TOPIC:
        return f"{kind}/{pattern.name}"
    return f"{kind}/{pattern.kind.name.lower()}/{pattern.name}"


def _pattern(key: str) -> Pattern | None:
    match key.split("/", 1):
        case ["topic", name]:
            return Pattern(ResourceType.TOPIC, name)
        case ["group", rest]:
            kind, _, name = rest.partition("/")
            if kind.upper() in PatternType.__members__:
                return Pattern(ResourceType.GROUP, name, PatternType[kind.upper()])
    return None


def _binding(pattern: Pattern, row: object) -> AclBinding | None:
    match row:
        case [str(principal), str(host), str(operation), str(permission)]:
            if operation in Operation.__members__ and permission in Permission.__members__:
                return AclBinding(
                    pattern, principal, host, Operation[operation], Permission[permission]
                )
    return None
