"""Requests and answers about ACLs against aiokafka's own types."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol import admin
from hypothesis import given
from hypothesis import strategies as st

from engine.kafka import acls
from engine.kafka.acl_bindings import (
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)

VERSIONS = {29: (1, 3), 30: (1, 3), 31: (1, 3)}  # Kafka 4.2's
NAMES = st.text("abc.-*é", min_size=1, max_size=6)
BINDINGS = st.builds(
    AclBinding,
    st.builds(Pattern, st.sampled_from(ResourceType), NAMES, st.sampled_from(PatternType)),
    NAMES.map("User:{}".format),
    st.sampled_from(["*", "10.0.0.1", "::1"]),
    st.sampled_from([each for each in Operation if each]),
    st.sampled_from(Permission),
)


def row(binding: AclBinding) -> tuple[Any, ...]:
    pattern = binding.pattern
    return (
        pattern.resource, pattern.name, pattern.kind, binding.principal, binding.host,
        binding.operation, binding.permission,
    )  # fmt: skip


@given(st.lists(BINDINGS, max_size=8))
def test_an_answer_is_read_as_aiokafka_reads_it(bindings: list[AclBinding]) -> None:
    resources: dict[Pattern, list[tuple[Any, ...]]] = {}
    for binding in bindings:
        resources.setdefault(binding.pattern, []).append(row(binding)[3:])
    rows = [(p.resource, p.name, p.kind, found) for p, found in resources.items()]
    frame = admin.DescribeAclsResponse_v1(7, 0, None, rows).encode()
    assert acls.parse(frame) == (
        0,
        None,
        [b for p in resources for b in bindings if b.pattern == p],
    )
    assert acls.parse(frame)[2] == [
        AclBinding(
            Pattern(ResourceType(kind), name, PatternType(pattern)),
            principal, host, Operation(operation), Permission(permission),
        )
        for kind, name, pattern, found in admin.DescribeAclsResponse_v1.decode(frame).resources
        for principal, host, operation, permission in found
    ]  # fmt: skip
    for cut in range(len(frame)):
        with pytest.raises((struct.error, IndexError)):
            acls.parse(frame[:cut])


def test_what_is_not_known_is_left_out_or_said_to_be_unknown() -> None:
    """A newer broker may have further resources, patterns and operations."""
    rows = [
        (2, "t", 3, [("User:a", "*", 99, 3), ("User:b", "*", 3, 9), ("User:c", "*", 3, 2)]),
        (2, "t", 9, [("User:a", "*", 3, 3)]),
        (77, "t", 3, [("User:a", "*", 3, 3)]),
    ]
    frame = admin.DescribeAclsResponse_v1(0, 54, "no authorizer", rows).encode()
    topic = Pattern(ResourceType.TOPIC, "t")
    assert acls.parse(frame) == (
        54,
        "no authorizer",
        [
            AclBinding(topic, "User:a", "*", Operation.UNKNOWN, Permission.ALLOW),
            AclBinding(topic, "User:c", "*", Operation.READ, Permission.DENY),
        ],
    )


def test_requests_are_aiokafkas() -> None:
    made = acls.DescribeAclsRequest(ResourceType.GROUP).prepare(VERSIONS)
    golden = admin.DescribeAclsRequest(3, None, 1, None, None, 1, 1)  # type: ignore[arg-type]
    assert (made.API_VERSION, made.encode()) == (1, golden.prepare({29: (1, 1)}).encode())
    binding = AclBinding(
        Pattern(ResourceType.TOPIC, "orders.", PatternType.PREFIXED),
        "User:alice",
        "*",
        Operation.READ,
        Permission.DENY,
    )
    created = acls.CreateAclsRequest([binding]).prepare(VERSIONS)
    assert created.encode() == admin.CreateAclsRequest(*row(binding)).prepare(VERSIONS).encode()
    deleted = acls.DeleteAclsRequest([binding]).prepare(VERSIONS)
    assert deleted.encode() == admin.DeleteAclsRequest(*row(binding)).prepare(VERSIONS).encode()
    two = acls.CreateAclsRequest([binding, binding]).prepare(VERSIONS).encode()
    assert two == struct.pack(">i", 2) + created.encode()[4:] * 2


def test_the_answers_payload_is_what_follows_the_header() -> None:
    response = acls.DescribeAclsRequest(ResourceType.TOPIC).prepare(VERSIONS).RESPONSE_TYPE
    frame = admin.DescribeAclsResponse_v1(0, 0, None, []).encode()
    assert acls.parse(response.decode(BytesIO(frame)).payload) == (0, None, [])


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (("a", 3), ("a", 3), True),
        (("a", 3), ("ab", 3), False),
        (("*", 3), ("x", 3), True),
        (("a", 4), ("ab", 3), True),
        (("ab", 4), ("a", 3), False),
        (("a", 4), ("ab", 4), True),
        (("ab", 4), ("ac", 4), False),
        (("*", 3), ("q", 4), True),
        (("*", 4), ("*x", 3), True),
        (("*", 4), ("x", 3), False),
    ],
)
def test_patterns_overlap(one: tuple[str, int], other: tuple[str, int], overlap: bool) -> None:
    """A literal `*` is everything; a prefixed one is names that begin with an asterisk."""
    first, second = (Pattern(ResourceType.TOPIC, n, PatternType(k)) for n, k in (one, other))
    assert first.overlaps(second) is second.overlaps(first) is overlap
    assert not first.overlaps(Pattern(ResourceType.GROUP, second.name, second.kind))
