"""What the source's ACLs come to on the target, before anybody has looked at the target.

Every pattern that can match more than one topic is narrowed to the mirrors' literal names: on the
target, a prefix or `*` would reach topics that are no mirrors. Of an ALLOW on topics only what
leaves a mirror as it is goes over; the rest is withheld, for promotion to grant. A DENY goes over
as it is; where it cannot, what it overrides on the source does not go over either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from engine.api.snapshots import OutOfStep
from engine.kafka.acl_bindings import (
    ANY_HOST,
    EVERYONE,
    AclBinding,
    Operation,
    Pattern,
    Permission,
    ResourceType,
)
from engine.replication.sync.acls.rules import Rules

# Topic operations that change nothing in a mirror. WRITE adds records, DELETE takes them (or the
# topic) away, ALTER adds partitions, ALTER_CONFIGS moves retention, and CREATE makes a topic of
# the mirror's name when the mirror was deleted.
READ_SIDE = (Operation.READ, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
CHANGING = frozenset(
    {
        Operation.ALL,
        Operation.WRITE,
        Operation.CREATE,
        Operation.DELETE,
        Operation.ALTER,
        Operation.ALTER_CONFIGS,
    }
)
# What an ALLOW of an operation also allows (AclAuthorizer, StandardAuthorizerData).
_IMPLIED = {
    Operation.READ: frozenset({Operation.READ, Operation.DESCRIBE}),
    Operation.WRITE: frozenset({Operation.WRITE, Operation.DESCRIBE}),
    Operation.DELETE: frozenset({Operation.DELETE, Operation.DESCRIBE}),
    Operation.ALTER: frozenset({Operation.ALTER, Operation.DESCRIBE}),
    Operation.ALTER_CONFIGS: frozenset({Operation.ALTER_CONFIGS, Operation.DESCRIBE_CONFIGS}),
}


@dataclass(slots=True)
class Wanted:
    """Target bindings, each with the source binding it comes from."""

    carried: dict[AclBinding, AclBinding] = field(default_factory=dict)
    withheld: dict[AclBinding, AclBinding] = field(default_factory=dict)
    not_carried: dict[AclBinding, AclBinding] = field(default_factory=dict)  # DENYs
    left: dict[AclBinding, str] = field(default_factory=dict)  # source bindings, and why
    problems: list[OutOfStep] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scope:
    """What there is to carry ACLs of."""

    mirrors: Mapping[str, str]
    """Target names by source topic, of mirrors that stand."""
    groups: Collection[str]
    """Names of the source's groups."""


def wanted(source: Collection[AclBinding], scope: Scope, rules: Rules) -> Wanted:
    """Work out what the source's bindings come to."""
    return _Derivation(source, scope, rules).run()


class _Derivation:
    def __init__(self, source: Collection[AclBinding], scope: Scope, rules: Rules) -> None:
        self._source = sorted(source)
        self._mirrors = scope.mirrors
        self._topics = sorted(scope.mirrors)
        # A DENY by prefix has to reach every group that an ALLOW names, there already or not.
        named = {each.pattern.name for each in source if _names_a_group(each.pattern)}
        self._groups = sorted({*scope.groups, *named})
        self._rules = rules
        self._out = Wanted()
        self._blocking: dict[AclBinding, int] = {}  # DENYs not carried, and what that holds back

    def run(self) -> Wanted:
        for binding in self._source:
            if binding.permission == Permission.DENY:
                self._deny(binding)
        for binding in self._source:
            if binding.permission == Permission.ALLOW:
                self._allow(binding)
        for deny, count in self._blocking.items():
            self._out.problems.append(_blocked(deny, count, self._why_not(deny), self._rules))
        return self._out

    def _deny(self, binding: AclBinding) -> None:
        principal = self._rules.principals.mapped(binding.principal)
        if principal == self._rules.own_principal:
            self._out.left[binding] = "it is about ccr itself"
            return
        targets = list(self._targets(binding.pattern))
        if not targets:
            return
        into = self._out.carried
        if self._why_not(binding):
            self._blocking[binding] = 0
            into = self._out.not_carried
        for _, pattern in targets:
            made = AclBinding(
                pattern, principal, binding.host, binding.operation, binding.permission
            )
            into.setdefault(made, binding)

    def _why_not(self, deny: AclBinding) -> tuple[str, str] | None:
        """Return why a DENY must not be carried, and what to do; None when it may be."""
        rules = self._rules
        principal = rules.principals.mapped(deny.principal)
        if not _is_principal(principal, deny.principal):
            return _unusable(deny.principal, principal), "Correct acls.principals"
        if deny.operation == Operation.UNKNOWN:
            return "ccr does not know its operation", "A newer ccr may"
        if principal == EVERYONE:
            return (
                f"it would lock ccr itself out of {rules.target}",
                "Deny it to principals by their names on the source",
            )
        if rules.own_principal is None:
            return (
                f"it is not known who {rules.target} takes ccr for, and it might lock ccr out",
                "Set acls.own_principal",
            )
        return None

    def _allow(self, binding: AclBinding) -> None:
        principal = self._rules.principals.mapped(binding.principal)
        if principal == self._rules.own_principal:
            self._out.left[binding] = "it is about ccr itself"
            return
        targets = list(self._targets(binding.pattern))
        if not targets:
            return
        if not _is_principal(principal, binding.principal):
            text = f"{binding}: not carried: {_unusable(binding.principal, principal)}"
            problem = OutOfStep(str(binding.pattern), text, "Correct acls.principals")
            self._out.problems.append(problem)
            return
        carried, is_withheld = _share(binding)
        if not carried and not is_withheld:
            self._out.left[binding] = f"{binding.operation.name} is nothing that ccr carries"
        for here, there in targets:
            for operation in carried:
                if not self._is_blocked(binding, here, operation):
                    made = AclBinding(there, principal, binding.host, operation, binding.permission)
                    self._out.carried.setdefault(made, binding)
            if is_withheld:
                made = AclBinding(
                    there, principal, binding.host, binding.operation, binding.permission
                )
                self._out.withheld.setdefault(made, binding)

    def _is_blocked(self, allow: AclBinding, here: Pattern, operation: Operation) -> bool:
        for deny in self._blocking:
            if _overrides(deny, allow, here, operation):
                self._blocking[deny] += 1
                return True
        return False

    def _targets(self, pattern: Pattern) -> Iterator[tuple[Pattern, Pattern]]:
        """Yield the selected resources that a pattern matches, on the source and on the target."""
        if pattern.resource == ResourceType.GROUP:
            for group in self._rules.groups.selected(pattern, self._groups):
                yield group, group
            return
        for topic in self._matched(pattern):
            yield (
                Pattern(ResourceType.TOPIC, topic),
                Pattern(ResourceType.TOPIC, self._mirrors[topic]),
            )

    def _matched(self, pattern: Pattern) -> Iterator[str]:
        if pattern.is_literal:
            if pattern.name in self._mirrors:
                yield pattern.name
            return
        for at in range(bisect_left(self._topics, pattern.prefix), len(self._topics)):
            if not self._topics[at].startswith(pattern.prefix):
                return
            yield self._topics[at]


def _names_a_group(pattern: Pattern) -> bool:
    return pattern.resource == ResourceType.GROUP and pattern.is_literal


def _share(allow: AclBinding) -> tuple[tuple[Operation, ...], bool]:
    """Return the operations of an ALLOW that go over, and whether something is withheld.

    A group is no mirror: its ACLs go over whole.
    """
    operation = allow.operation
    if operation == Operation.UNKNOWN:
        return (), False
    if allow.pattern.resource == ResourceType.GROUP:
        return (operation,), False
    if operation == Operation.ALL:
        return READ_SIDE, True
    if operation in READ_SIDE:
        return (operation,), False
    return (), operation in CHANGING


def overrides(deny: AclBinding, allow: AclBinding) -> bool:
    """Whether a DENY takes back a part of what an ALLOW of the same cluster gives."""
    return _overrides(deny, allow, allow.pattern, allow.operation)


def _overrides(deny: AclBinding, allow: AclBinding, here: Pattern, operation: Operation) -> bool:
    """Whether a DENY of the source takes back a part of what an ALLOW gives."""
    same_people = deny.principal in (EVERYONE, allow.principal) or allow.principal == EVERYONE
    same_hosts = deny.host in (ANY_HOST, allow.host) or allow.host == ANY_HOST
    given = _IMPLIED.get(operation, frozenset({operation}))
    same_operation = Operation.ALL in (deny.operation, operation) or deny.operation in given
    return same_people and same_hosts and same_operation and deny.pattern.overlaps(here)


def _is_principal(mapped: str, original: str) -> bool:
    kind, _, name = mapped.partition(":")
    return bool(kind and name) and (mapped != EVERYONE or original == EVERYONE)


def _unusable(original: str, mapped: str) -> str:
    if mapped == EVERYONE:
        return f"acls.principals makes everybody ({EVERYONE}) of {original}"
    return f"acls.principals makes {mapped!r} of {original}, which is no principal (User:NAME)"


def _blocked(deny: AclBinding, count: int, why: tuple[str, str] | None, rules: Rules) -> OutOfStep:
    cause, next_step = why or ("", "")
    text = f"{deny}: not carried to {rules.target}: {cause}"
    if count:
        text += f"; {count} ALLOWs that it overrides are not carried either"
    return OutOfStep(str(deny.pattern), text, next_step)
