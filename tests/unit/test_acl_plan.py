"""The plan of ACLs: never more than on the source, never another's deleted, nothing that locks out.

What a principal may do is decided here by an authorizer of the test's own, written after Kafka's
StandardAuthorizerData.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.api.acl_snapshots import AclRow, AclVerdict
from engine.config.flow_section import FlowConfig
from engine.config.model import Config
from engine.config.sync_sections import AclsConfig
from engine.kafka.acl_bindings import (
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)
from engine.kafka.acls import Openness
from engine.replication.state_records import FlowRecord
from engine.replication.sync.acls.memory import Memory, changes, remembered, withheld
from engine.replication.sync.acls.plan import AclPlan, Sides, make_plan
from engine.replication.sync.acls.rules import Groups, Principals, Rules, own_principal
from engine.replication.sync.acls.wanted import Scope

TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
OWN = "User:ccr"
OPEN = Openness("its brokers set it", "Make one")
TOPICS = ("orders", "orders.eu", "pay")  # selected; `other` is not
GROUPS = ("app", "app-1", "x")
PEOPLE = ("User:alice", "User:bob", OWN, "User:nobody")
HOSTS = ("10.0.0.1", "10.9.9.9")
TOPIC_OPERATIONS = (
    Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DELETE, Operation.ALTER,
    Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS,
)  # fmt: skip
READ_SIDE = (Operation.READ, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
GROUP_OPERATIONS = (Operation.READ, Operation.DESCRIBE, Operation.DELETE)
GIVES = {
    Operation.DESCRIBE: {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER},
    Operation.DESCRIBE_CONFIGS: {Operation.ALTER_CONFIGS},
}


def allowed(
    bindings: Collection[AclBinding],
    resource: ResourceType,
    name: str,
    who: tuple[str, str],
    operation: Operation,
) -> bool:
    """Whether an authorizer lets a principal at a host do it."""
    principal, host = who
    about = [
        binding
        for binding in bindings
        if binding.pattern.resource == resource
        and binding.principal in (principal, "User:*")
        and binding.host in (host, "*")
        and (
            binding.pattern.name in (name, "*")
            if binding.pattern.kind == PatternType.LITERAL
            else name.startswith(binding.pattern.name)
        )
    ]
    denied = {each.operation for each in about if each.permission == Permission.DENY}
    if denied & {operation, Operation.ALL}:
        return False
    given_ = {each.operation for each in about if each.permission == Permission.ALLOW}
    return bool(given_ & ({operation, Operation.ALL} | GIVES.get(operation, set())))


def binding(
    name: str,
    operation: str,
    principal: str = "User:alice",
    *,
    kind: str = "LITERAL",
    resource: ResourceType = TOPIC,
    permission: str = "ALLOW",
    host: str = "*",
) -> AclBinding:
    return AclBinding(
        Pattern(resource, name, PatternType[kind]),
        principal,
        host,
        Operation[operation],
        Permission[permission],
    )


def bindings(names: tuple[str, ...], resource: ResourceType) -> st.SearchStrategy[AclBinding]:
    operations = TOPIC_OPERATIONS if resource == TOPIC else GROUP_OPERATIONS
    patterns = st.one_of(
        st.builds(Pattern, st.just(resource), st.sampled_from([*names, "*"])),
        st.builds(
            Pattern,
            st.just(resource),
            st.sampled_from(sorted({name[:n] for name in names for n in (1, 3, 6)})),
            st.just(PatternType.PREFIXED),
        ),
    )
    return st.builds(
        AclBinding,
        patterns,
        st.sampled_from([*PEOPLE, "User:*"]),
        st.sampled_from(["*", HOSTS[0]]),
        st.sampled_from([*operations, Operation.ALL]),
        st.sampled_from([Permission.ALLOW, Permission.ALLOW, Permission.DENY]),
    )


def sources(*, deny: bool = True) -> st.SearchStrategy[frozenset[AclBinding]]:
    one = bindings((*TOPICS, "other"), TOPIC) | bindings((*GROUPS, "app-new"), GROUP)
    if not deny:
        one = one.filter(lambda each: each.permission == Permission.ALLOW)
    return st.frozensets(one, max_size=10)


@dataclass(frozen=True)
class Setting:
    rules: Rules
    mirrors: dict[str, str]

    def plan(
        self, source: frozenset[AclBinding], target: frozenset[AclBinding], memory: Memory, **o: Any
    ) -> AclPlan:
        sides = Sides(source, target, **o)
        return make_plan(sides, Scope(self.mirrors, frozenset(GROUPS)), self.rules, memory)


def setting(
    principals: dict[str, str] | None = None, own: str | None = OWN, prefix: str = "", **groups: Any
) -> Setting:
    flow = FlowConfig.model_validate(
        {
            "source": "east",
            "target": "west",
            "groups": groups,
            "acls": {"principals": principals or {}},
        }
    )
    rules = Rules(Principals(flow.acls.principals), Groups(flow.groups), own, "west")
    return Setting(rules, {topic: prefix + topic for topic in TOPICS})


SETTINGS = st.builds(
    setting,
    st.sampled_from(
        [{}, {"User:(a.*)": r"User:west-\1"}, {"User:.*": "User:all"}, {"User:b.*": "User:*"}]
    ),
    st.sampled_from([OWN, OWN, None]),
    st.sampled_from(["", "east."]),
    include=st.sampled_from([[".*"], [r"app.*"], [r"app\-.*"], ["app-[0-9]", "x"], ["a.*", "x.*"]]),
    exclude=st.sampled_from([[], [], ["app-1"]]),
)


def carried_out(plan: AclPlan, target: frozenset[AclBinding]) -> frozenset[AclBinding]:
    return (target - plan.remove) | plan.create.keys()


# Neither the state topic nor anybody who reads it has more than the entries.
def stored(record: FlowRecord, before: Memory, after: Memory) -> Memory:
    for key, value in changes(before, after):
        record.fold(key, value, 0)
    assert remembered(record) == after
    return remembered(record)


def test_a_group_that_is_known_by_a_removed_binding_only_is_not_remembered() -> None:
    """Else the next look, which does not know the group, would plan something else."""
    at = setting(own=None, include=[".*"], exclude=["app-1"])
    made = binding("app-new", "READ", resource=GROUP)
    deny = binding("a", "READ", resource=GROUP, kind="PREFIXED", permission="DENY")
    plan = at.plan(frozenset({deny}), frozenset({made}), Memory(frozenset({made})))
    assert plan.remove == {made}
    assert {each.pattern.name for each in plan.after.not_carried} == {"app"}
    again = at.plan(frozenset({deny}), frozenset(), plan.after)
    assert again.after == plan.after


@settings(max_examples=400)
@given(SETTINGS, sources(), sources(), sources())
def test_no_plan_grants_what_the_source_does_not(
    at: Setting,
    first: frozenset[AclBinding],
    second: frozenset[AclBinding],
    foreign: frozenset[AclBinding],
) -> None:
    """Two rounds with other ACLs on the source; on the target stand others' bindings."""
    target, memory, record = foreign, Memory(), FlowRecord()
    for source in (first, second):
        plan = at.plan(source, target, memory)
        assert plan.remove <= memory.created - foreign
        assert not plan.create.keys() & target
        assert all(each.principal != at.rules.own_principal for each in plan.create)
        denied = {each.principal for each in plan.create if each.permission == Permission.DENY}
        assert "User:*" not in denied
        assert not denied or at.rules.own_principal
        target = carried_out(plan, target)
        memory = stored(record, memory, plan.after)
        again = at.plan(source, target, memory)
        assert (again.create, again.remove, again.after) == ({}, frozenset(), memory)
    assert foreign <= target
    assert memory.created == target - foreign
    ours = memory.created | {each for each in foreign if each.permission == Permission.DENY}
    for principal in {at.rules.principals.mapped(each) for each in PEOPLE} - {OWN}:
        origins = [each for each in PEOPLE if at.rules.principals.mapped(each) == principal]
        for host in HOSTS:
            _nothing_more(at, second, ours, principal, origins, host)


def _nothing_more(
    at: Setting,
    source: frozenset[AclBinding],
    ours: frozenset[AclBinding],
    principal: str,
    origins: list[str],
    host: str,
) -> None:
    sources_of = {mirror: topic for topic, mirror in at.mirrors.items()}
    for name in {*at.mirrors.values(), *TOPICS, "other", "east.other", "orders.new"}:
        for operation in TOPIC_OPERATIONS:
            if allowed(ours, TOPIC, name, (principal, host), operation):
                assert operation in READ_SIDE
                there = sources_of[name]
                assert any(allowed(source, TOPIC, there, (p, host), operation) for p in origins)
    for name in (*GROUPS, "app-new", "app-9", "y"):
        for operation in GROUP_OPERATIONS:
            if allowed(ours, GROUP, name, (principal, host), operation):
                assert at.rules.groups.selects(name)
                assert any(allowed(source, GROUP, name, (p, host), operation) for p in origins)


@given(sources(deny=False), st.sampled_from(["", "east."]))
def test_all_that_can_be_carried_is(source: frozenset[AclBinding], prefix: str) -> None:
    """And with what was withheld, the target is as the source: that is what promotion grants."""
    at = setting(prefix=prefix)
    plan = at.plan(source, frozenset(), Memory())
    target = frozenset(plan.create)
    promoted = target | withheld(_record(plan), at.mirrors.values()).withheld
    for who in [(principal, host) for principal in PEOPLE if principal != OWN for host in HOSTS]:
        for topic, mirror in at.mirrors.items():
            for operation in TOPIC_OPERATIONS:
                there = allowed(source, TOPIC, topic, who, operation)
                assert allowed(promoted, TOPIC, mirror, who, operation) is there
                if operation == Operation.READ:
                    assert allowed(target, TOPIC, mirror, who, operation) is there
        for group in (*GROUPS, "app-new"):
            for operation in GROUP_OPERATIONS:
                assert allowed(target, GROUP, group, who, operation) is allowed(
                    source, GROUP, group, who, operation
                )


def _record(plan: AclPlan) -> FlowRecord:
    record = FlowRecord()
    stored(record, Memory(), plan.after)
    return record


def test_a_wide_binding_is_narrowed_to_the_mirrors() -> None:
    at = setting({"User:(.*)@east": r"User:\1@west"}, prefix="east.")
    source = frozenset({binding("orders", "ALL", "User:alice@east", kind="PREFIXED")})
    plan = at.plan(source, frozenset(), Memory())
    assert set(plan.create) == {
        binding(mirror, operation, "User:alice@west")
        for mirror in ("east.orders", "east.orders.eu")
        for operation in ("READ", "DESCRIBE", "DESCRIBE_CONFIGS")
    }
    assert plan.withheld.keys() == {
        binding(mirror, "ALL", "User:alice@west") for mirror in ("east.orders", "east.orders.eu")
    }
    shown = plan.preview()
    assert (shown.create, shown.remove, shown.withhold, shown.leave) == (6, 0, 2, 0)
    assert [row.verdict for row in shown.rows] == ["create"] * 6 + ["withhold"] * 2
    assert [row.verdict for row in plan.preview(1).rows] == ["create", "withhold"]
    assert shown.rows[0] == AclRow(
        AclVerdict.CREATE,
        "topic east.orders",
        "ALLOW READ for User:alice@west",
        "from topics orders*, there for User:alice@east, of ALL, what leaves a mirror as it is",
    )
    assert shown.rows[-1].why == (
        "it would change the mirror; granted by promotion; from topics orders*, "
        "there for User:alice@east"
    )


def test_groups_keep_their_prefix_where_all_of_it_is_selected() -> None:
    wide = binding("*", "READ", resource=GROUP)
    narrow = binding("app-", "READ", resource=GROUP, kind="PREFIXED")
    app = Pattern(GROUP, "app", PatternType.PREFIXED)
    for include, exclude, found in (
        ([".*"], [], {wide.pattern, narrow.pattern}),
        (["app.*"], [], {app, narrow.pattern}),
        (["app.*"], ["x"], {Pattern(GROUP, "app"), Pattern(GROUP, "app-1")}),
        (["app-[0-9]"], [], {Pattern(GROUP, "app-1")}),
    ):
        at = setting(include=include, exclude=exclude)
        plan = at.plan(frozenset({wide, narrow}), frozenset(), Memory())
        assert {each.pattern for each in plan.create} == found, include


def test_a_deny_that_would_lock_ccr_out_is_told_and_holds_back_what_it_overrides() -> None:
    deny = binding("pay", "READ", "User:*", permission="DENY")
    source = frozenset({deny, binding("*", "READ"), binding("pay", "DESCRIBE_CONFIGS")})
    plan = setting().plan(source, frozenset(), Memory())
    assert set(plan.create) == {
        binding("orders", "READ"),
        binding("orders.eu", "READ"),
        binding("pay", "DESCRIBE_CONFIGS"),
    }
    (problem,) = plan.problems
    assert problem.object == "topic pay"
    assert "it would lock ccr itself out of west; 1 ALLOWs that it overrides" in problem.text
    assert withheld(_record(plan), ["pay"]).not_carried == {deny}
    assert withheld(_record(plan), ["orders"]) == Memory(
        created=frozenset({binding("orders", "READ")})
    )


def test_a_deny_waits_for_who_ccr_is() -> None:
    deny = binding("pay", "WRITE", "User:bob", permission="DENY")
    plan = setting(own=None).plan(frozenset({deny}), frozenset(), Memory())
    assert not plan.create
    assert plan.problems[0].next_step == "Set acls.own_principal"
    assert set(setting().plan(frozenset({deny}), frozenset(), Memory()).create) == {deny}


@pytest.mark.parametrize("template", ["User:\\2", "User:\\g<name>", "User:\\"])
def test_a_mapping_names_only_groups_that_its_regex_has(template: str) -> None:
    with pytest.raises(ValidationError, match=r"names a group that the regex lacks"):
        AclsConfig(principals={"User:(.*)": template})


@pytest.mark.parametrize("principal", ["ccr", "User:", ":ccr", "User:*"])
def test_ccr_is_one_principal(principal: str) -> None:
    with pytest.raises(ValidationError):
        AclsConfig(own_principal=principal)
    assert AclsConfig(own_principal="User:CN=*.example").own_principal == "User:CN=*.example"


@pytest.mark.parametrize(
    ("template", "told"),
    [("User:*", "makes everybody"), ("bob", "makes 'bob' of User:bob, which is no principal")],
)
def test_a_mapping_to_nobody_or_to_everybody_carries_nothing(template: str, told: str) -> None:
    at = setting({"User:bob": template})
    source = frozenset({binding("pay", "READ", "User:bob")})
    plan = at.plan(source, frozenset(), Memory())
    assert not plan.create
    assert told in plan.problems[0].text
    assert plan.problems[0].next_step == "Correct acls.principals"


def test_what_a_newer_ccr_remembers_is_left_out() -> None:
    record = FlowRecord()
    rows = [
        ["User:a", "*", "READ", "ALLOW"],
        ["User:a", "*", "LEVITATE", "ALLOW"],
        ["User:a", "*", "READ", "MAYBE"],
        ["User:a", "*", "READ", "ALLOW", "since"],
        "User:a",
    ]
    record.fold("sync/acls/topic/pay", {"c": rows, "z": rows}, 0)
    record.fold("sync/acls/group/regex/pay", {"c": rows}, 0)
    record.fold("sync/acls/cluster", {"c": rows}, 0)
    assert remembered(record) == Memory(created=frozenset({binding("pay", "READ", "User:a")}))


def test_what_stood_before_is_left_alone_also_when_the_source_lets_go_of_it() -> None:
    at, there = setting(), binding("pay", "READ")
    plan = at.plan(frozenset({there}), frozenset({there}), Memory())
    assert (plan.create, plan.after.created) == ({}, frozenset())
    assert "it was there before" in plan.left[there]
    gone = at.plan(frozenset(), frozenset({there}), plan.after)
    assert not gone.remove


def test_others_who_may_change_a_mirror_are_shown() -> None:
    at = setting(prefix="east.")
    writers = {
        binding("east.pay", "WRITE", "User:bob"),
        binding("east.o", "ALL", "User:bob", kind="PREFIXED"),
    }
    others = {
        binding("pay", "WRITE", "User:bob"),
        binding("east.pay", "READ", "User:bob"),
        binding("east.pay", "WRITE", OWN),
        binding("east.pay", "WRITE", "User:bob", permission="DENY"),
    }
    plan = at.plan(frozenset(), frozenset(writers | others), Memory())
    assert plan.left == dict.fromkeys(writers, "not created by ccr; it lets others change mirrors")


def test_a_mirror_that_is_not_looked_at_keeps_what_it_has() -> None:
    """Its source topic is gone, or no longer selected, or it is being made ready."""
    at = setting()
    source = frozenset({binding("pay", "READ"), binding("pay", "WRITE")})
    first = at.plan(source, frozenset(), Memory())
    without = Setting(at.rules, {"orders": "orders"})
    plan = without.plan(frozenset(), frozenset(first.create), first.after)
    assert not plan.remove
    assert plan.after == first.after
    assert set(at.plan(frozenset(), frozenset(first.create), first.after).remove) == {
        binding("pay", "READ")
    }


def test_on_a_cluster_that_may_be_open_no_first_acl_and_no_last() -> None:
    at = setting()
    source = frozenset({binding("pay", "READ"), binding("orders", "READ")})
    theirs = binding("pa", "WRITE", OWN, kind="PREFIXED")
    plan = at.plan(source, frozenset({theirs}), Memory(), openness=OPEN)
    assert set(plan.create) == {binding("pay", "READ")}
    (problem,) = plan.problems
    assert problem.object == "topic orders"
    assert problem.text.endswith("use what has none: its brokers set it")
    memory = plan.after
    assert memory.created == {binding("pay", "READ")}
    target = frozenset(plan.create)
    stays = at.plan(frozenset(), target, memory, openness=OPEN)
    assert (stays.remove, stays.after.created) == (frozenset(), target)
    assert "not removed, as it is the last ACL there" in stays.problems[0].text
    goes = at.plan(frozenset(), target | {theirs}, memory, openness=OPEN)
    assert goes.remove == target


def test_on_an_open_cluster_no_allow_goes_without_its_deny() -> None:
    at = setting()
    app = binding("app", "READ", resource=GROUP, kind="PREFIXED")
    deny = binding("a", "READ", resource=GROUP, kind="PREFIXED", permission="DENY")
    theirs = binding("app", "READ", "User:bob", resource=GROUP, kind="PREFIXED")
    plan = at.plan(frozenset({app, deny}), frozenset({theirs}), Memory(), openness=OPEN)
    assert plan.create == {}


@pytest.mark.parametrize(
    ("section", "own"),
    [
        ({}, "User:ANONYMOUS"),
        ({"security_protocol": "SSL"}, "User:ANONYMOUS"),
        ({"security_protocol": "SSL", "tls": {"certificate": "c.pem"}}, None),
        (
            {
                "security_protocol": "SASL_SSL",
                "tls": {"certificate": "c.pem"},
                "sasl": {"mechanism": "PLAIN", "username": "ccr", "password": "env:P"},
            },
            "User:ccr",
        ),
        (
            {
                "security_protocol": "SASL_SSL",
                "sasl": {
                    "mechanism": "OAUTHBEARER",
                    "token_endpoint": "https://idp.example/token",
                    "client_id": "ccr",
                    "client_secret": "env:P",
                },
            },
            None,
        ),
    ],
)
def test_who_ccr_is(section: dict[str, Any], own: str | None) -> None:
    """Only where the login says it for certain."""
    config = Config.model_validate(
        {"version": 1, "clusters": {"w": {"bootstrap_servers": ["h:1"], **section}}}
    )
    assert own_principal(config.clusters["w"]) == own
