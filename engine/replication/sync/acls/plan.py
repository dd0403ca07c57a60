"""One diff of the target's ACLs, for the syncer and for whoever wants to see it beforehand.

It never deletes what ccr did not create, and never grants on a mirror what a principal lacks on the
source (tests/unit/test_acl_plan.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from engine.api.acl_snapshots import AclPreview, AclRow, AclVerdict
from engine.api.snapshots import OutOfStep
from engine.kafka.acl_bindings import AclBinding, Pattern, Permission, ResourceType
from engine.kafka.acls import Openness
from engine.replication.sync.acls.memory import Memory
from engine.replication.sync.acls.rules import Rules
from engine.replication.sync.acls.wanted import CHANGING, Scope, overrides, wanted

PREVIEWED = 1000
_REMOVED = "created by ccr; the source has it no more"
_WITHHELD = "it would change the mirror; granted by promotion"


@dataclass(frozen=True, slots=True)
class Sides:
    """The ACLs as they are."""

    source: Collection[AclBinding]
    target: frozenset[AclBinding]
    openness: Openness | None = None
    """The target may let everybody do everything with what no ACL is about: there, the first ACL
    takes it from everybody else, ccr among them, and the last one gives it to everybody."""


@dataclass(slots=True)
class AclPlan:
    """What is to be done on the target, and what is not, and why."""

    create: dict[AclBinding, AclBinding] = field(default_factory=dict)  # with the source's
    remove: frozenset[AclBinding] = frozenset()
    left: dict[AclBinding, str] = field(default_factory=dict)  # on the target or the source
    problems: list[OutOfStep] = field(default_factory=list)
    withheld: Mapping[AclBinding, AclBinding] = field(default_factory=dict)  # with the source's
    after: Memory = field(default_factory=Memory)
    """What is to be remembered once all of it is done."""

    def preview(self, most: int = PREVIEWED) -> AclPreview:
        """Return it as it is shown, no more than so many rows of each verdict."""
        left = [(str(binding.pattern), str(binding), why) for binding, why in self.left.items()]
        left += [(each.object, each.text, each.next_step) for each in self.problems]
        rows = [
            *(
                AclRow(AclVerdict.CREATE, str(made.pattern), str(made), _origin(made, source))
                for made, source in nsmallest(most, self.create.items())
            ),
            *(
                AclRow(AclVerdict.REMOVE, str(made.pattern), str(made), _REMOVED)
                for made in nsmallest(most, self.remove)
            ),
            *(
                AclRow(
                    AclVerdict.WITHHOLD,
                    str(made.pattern),
                    str(made),
                    _joined(_WITHHELD, _origin(made, source)),
                )
                for made, source in nsmallest(most, self.withheld.items())
            ),
            *(AclRow(AclVerdict.LEAVE, *row) for row in nsmallest(most, left)),
        ]
        return AclPreview(
            len(self.create), len(self.remove), len(self.withheld), len(left), tuple(rows)
        )


def make_plan(sides: Sides, scope: Scope, rules: Rules, memory: Memory) -> AclPlan:
    """Compare; pure and, with many ACLs, slow: call it in a thread."""
    groups = {each.pattern.name for each in memory.created if _is_group(each.pattern)}
    want = wanted(sides.source, Scope(scope.mirrors, {*scope.groups, *groups}), rules)
    plan = AclPlan(left=dict(want.left), problems=list(want.problems), withheld=want.withheld)
    mirrors = frozenset(scope.mirrors.values())
    plan.remove = frozenset(_removed(plan, want.carried, sides, mirrors, rules, memory))
    plan.create = {made: own for made, own in want.carried.items() if made not in sides.target}
    if sides.openness is not None:
        _heed(sides.openness, plan, sides.target, rules)
    for binding in want.carried.keys() & sides.target - memory.created:
        plan.left[binding] = "it was there before; ccr did not create it and will not remove it"
    _note_writers(plan, sides.target - memory.created, mirrors, rules)
    elsewhere = Memory(
        withheld=_about_others(memory.withheld, mirrors),
        not_carried=_about_others(memory.not_carried, mirrors),
    )
    created = (memory.created & sides.target) - plan.remove | plan.create.keys()
    # A group that only what is removed now was about is nothing that the next look knows.
    gone = groups.difference(
        scope.groups,
        (each.pattern.name for each in sides.source if _is_group(each.pattern)),
        (each.pattern.name for each in created if _is_group(each.pattern)),
    )
    plan.after = Memory(
        created,
        elsewhere.withheld | want.withheld.keys(),
        elsewhere.not_carried
        | {
            each
            for each in want.not_carried
            if not (_is_group(each.pattern) and each.pattern.name in gone)
        },
    )
    return plan


def _removed(
    plan: AclPlan,
    carried: Collection[AclBinding],
    sides: Sides,
    mirrors: Collection[str],
    rules: Rules,
    memory: Memory,
) -> Iterator[AclBinding]:
    for binding in (memory.created & sides.target) - frozenset(carried):
        pattern = binding.pattern
        if binding.principal == rules.own_principal:
            plan.left[binding] = "it is about ccr itself"
        elif pattern.resource == ResourceType.TOPIC and pattern.name not in mirrors:
            plan.left[binding] = (
                "created by ccr; kept, as the flow has no running mirror of that name now"
            )
        elif _is_group(pattern) and not rules.groups.selects(pattern.name):
            plan.left[binding] = "created by ccr; kept, as the flow no longer selects the group"
        else:
            yield binding


def _heed(openness: Openness, plan: AclPlan, target: frozenset[AclBinding], rules: Rules) -> None:
    """Create no resource's first ACL, and remove no resource's last one."""
    may = f"{rules.target} may let everybody use what has none: {openness.why}"
    cover = _Cover(target)
    closing = {made.pattern for made in plan.create if not cover.has(made.pattern)}
    for pattern in sorted(closing):
        text = f"no ACL created, as it would be the first there: {may}"
        plan.problems.append(OutOfStep(str(pattern), text, openness.next_step))
    dropped = [
        made
        for made in plan.create
        if made.permission == Permission.DENY and made.pattern in closing
    ]
    plan.create = {
        made: source
        for made, source in plan.create.items()
        if made.pattern not in closing and not any(overrides(deny, made) for deny in dropped)
    }
    left = _Cover(target - plan.remove | plan.create.keys())
    opening = {each for each in plan.remove if not left.has(each.pattern)}
    for binding in sorted(opening):
        text = f"{binding}: not removed, as it is the last ACL there: {may}"
        plan.problems.append(OutOfStep(str(binding.pattern), text, openness.next_step))
    plan.remove = plan.remove - opening


def _note_writers(
    plan: AclPlan, foreign: Iterable[AclBinding], mirrors: Iterable[str], rules: Rules
) -> None:
    """Others' ACLs on the target that let somebody change a mirror: not ours to judge."""
    names = sorted(mirrors)
    for binding in foreign:
        if (
            binding.permission == Permission.ALLOW
            and binding.operation in CHANGING
            and binding.principal != rules.own_principal
            and binding.pattern.resource == ResourceType.TOPIC
            and _matches_any(binding.pattern, names)
        ):
            plan.left[binding] = "not created by ccr; it lets others change mirrors"


class _Cover:
    """Which resources some binding is about."""

    def __init__(self, bindings: Iterable[AclBinding]) -> None:
        patterns = {binding.pattern for binding in bindings}
        self._literal = {(each.resource, each.name) for each in patterns if each.is_literal}
        self._wide = [each for each in patterns if not each.is_literal]

    def has(self, pattern: Pattern) -> bool:
        """Whether all that a pattern matches has a binding."""
        if pattern.is_literal and (pattern.resource, pattern.name) in self._literal:
            return True
        name = pattern.name if pattern.is_literal else pattern.prefix
        return any(
            wide.resource == pattern.resource and name.startswith(wide.prefix)
            for wide in self._wide
        )


def _matches_any(pattern: Pattern, names: list[str]) -> bool:
    at = bisect_left(names, pattern.name if pattern.is_literal else pattern.prefix)
    return at < len(names) and pattern.matches(names[at])


def _is_group(pattern: Pattern) -> bool:
    return pattern.resource == ResourceType.GROUP and pattern.is_literal


def _about_others(
    bindings: frozenset[AclBinding], mirrors: Collection[str]
) -> frozenset[AclBinding]:
    """Return those of mirrors that are not looked at now; what is said of groups is said anew."""
    return frozenset(
        each
        for each in bindings
        if each.pattern.resource == ResourceType.TOPIC and each.pattern.name not in mirrors
    )


def _origin(made: AclBinding, source: AclBinding) -> str:
    parts = []
    if source.pattern != made.pattern:
        parts.append(f"from {source.pattern}")
    if source.principal != made.principal:
        parts.append(f"there for {source.principal}")
    if source.operation != made.operation:
        parts.append(f"of {source.operation.name}, what leaves a mirror as it is")
    return ", ".join(parts)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
