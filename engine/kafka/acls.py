"""ACLs of a cluster (KIP-290): DescribeAcls, CreateAcls and DeleteAcls, version 1.

Requests are aiokafka's structs; the answer of DescribeAcls is taken apart here, in a thread: a
cluster may have a hundred thousand of them. Format:
`clients/src/main/resources/common/message/DescribeAclsResponse.json`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeConfigsRequest,
)
from aiokafka.protocol.admin import (
    DescribeAclsRequest_v1 as _AioDescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request

from engine.errors import ConnectError, KafkaError
from engine.kafka import codes
from engine.kafka.acl_bindings import (
    AclBinding,
    Operation,
    Pattern,
    PatternType,
    Permission,
    ResourceType,
)
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.raw import RawResponse
from engine.kafka.wire import I16, I32

_ANY = 1  # in a filter
_BROKER = 4  # a resource of DescribeConfigs
_OPEN = "allow.everyone.if.no.acl.found"
_SUPER_USERS = "super.users"
_RESOURCES, _PATTERNS = frozenset(map(int, ResourceType)), frozenset(map(int, PatternType))
_PERMISSIONS = frozenset(map(int, Permission))
_AT_ONCE = 500  # bindings a request: each is a metadata record of the controller


class NoAuthorizerError(KafkaError):
    """The cluster has no authorizer: everybody may do everything, and there are no ACLs."""

    def __init__(self, cluster: str) -> None:
        super().__init__(
            "asking for the ACLs of cluster", cluster, "it has no authorizer, so it has no ACLs"
        )


class _DescribeAclsResponse(RawResponse):
    """Version 1, kept as bytes until it is parsed."""

    API_KEY = 29
    API_VERSION = 1


class _DescribeStruct(_AioDescribeAclsRequest_v1):  # type: ignore[misc]
    RESPONSE_TYPE = _DescribeAclsResponse


class DescribeAclsRequest(Request[_DescribeStruct]):  # type: ignore[misc]
    """Ask for all bindings of one kind of resource, or for those with one permission."""

    API_KEY = 29

    def __init__(self, resource: ResourceType, permission: Permission | None = None) -> None:
        self._resource = resource
        self._permission = _ANY if permission is None else int(permission)

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(
            int(self._resource), None, _ANY, None, None, _ANY, self._permission
        )


class CreateAclsRequest(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Create bindings, all in one request (aiokafka's own takes one)."""

    API_KEY = 30

    def __init__(self, bindings: Sequence[AclBinding]) -> None:
        self._bindings = bindings

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class([_row(binding) for binding in self._bindings])


class DeleteAclsRequest(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Delete exactly these bindings, all in one request."""

    API_KEY = 31

    def __init__(self, bindings: Sequence[AclBinding]) -> None:
        self._bindings = bindings

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class([_row(binding) for binding in self._bindings])


def _row(binding: AclBinding) -> tuple[int, str, int, str, str, int, int]:
    pattern = binding.pattern
    return (
        int(pattern.resource),
        pattern.name,
        int(pattern.kind),
        binding.principal,
        binding.host,
        int(binding.operation),
        int(binding.permission),
    )


async def describe_acls(
    cluster: Cluster,
    resource: ResourceType,
    permission: Permission | None = None,
    *,
    node: int | None = None,
) -> frozenset[AclBinding]:
    """Return all bindings of topics, or of groups; or those with one permission.

    `node`: as this broker has them, which learns of changes by itself. Raises NoAuthorizerError
    where there are none to be had, and KafkaError.
    """
    response = await cluster.request(DescribeAclsRequest(resource, permission), node)
    try:
        error, message, bindings = await asyncio.to_thread(parse, response.payload)
    except (struct.error, IndexError, ValueError) as broken:
        cause = f"its answer to DescribeAcls makes no sense: {broken}"
        raise KafkaError("asking for the ACLs of cluster", cluster.name, cause) from broken
    if error != Code.NONE:
        raise _refused("asking for the ACLs of cluster", cluster, error, message, "DESCRIBE")
    return frozenset(bindings)


async def create_acls(
    cluster: Cluster, bindings: Iterable[AclBinding]
) -> dict[AclBinding, KafkaError]:
    """Create bindings; return why those that were refused were (NoAuthorizerError among it)."""
    return await _each(cluster, CreateAclsRequest, bindings, "creating")


async def delete_acls(
    cluster: Cluster, bindings: Iterable[AclBinding]
) -> dict[AclBinding, KafkaError]:
    """Delete exactly these bindings, those that are there; return why the refused ones were."""
    return await _each(cluster, DeleteAclsRequest, bindings, "deleting")


async def _each(
    cluster: Cluster, request: Any, bindings: Iterable[AclBinding], verb: str
) -> dict[AclBinding, KafkaError]:
    wanted = list(bindings)
    refused: dict[AclBinding, KafkaError] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        share = wanted[at : at + _AT_ONCE]
        response = await cluster.request(request(share))
        results = getattr(response, response.SCHEMA.names[1])
        for binding, (error, message, *_matching) in zip(share, results, strict=True):
            if error != Code.NONE:
                operation = f"{verb} {binding} on {binding.pattern} of cluster"
                refused[binding] = _refused(operation, cluster, error, message, "ALTER")
        if any(error in codes.AUTHORIZATION for error, *_ in results):
            reason = refused[share[0]]
            return refused | dict.fromkeys(wanted[at:], reason)
    return refused


@dataclass(frozen=True, slots=True)
class Openness:
    """Why everybody may be let do everything with what no ACL is about, and what to do."""

    why: str
    next_step: str


async def openness(cluster: Cluster) -> Openness | None:
    """Tell whether a cluster may be open where no ACL is; None when it is not. Raises ConnectError.

    `allow.everyone.if.no.acl.found` is the authorizer's own setting: a broker tells that somebody
    set it, and not to what.
    """
    for error, entries in await _broker_settings(cluster, _OPEN):
        if error != Code.NONE:
            return Openness(
                f"its brokers' configs cannot be read to tell ({codes.name(error)})",
                f"Grant DESCRIBE_CONFIGS on the cluster {cluster.name} (docs/permissions.md)",
            )
        if any(name == _OPEN and value != "false" for name, value, *_ in entries):
            return Openness(
                f"its brokers set {_OPEN}", "Make an ACL for it, or a prefix of it, first for ccr"
            )
    return None


async def has_super_users(cluster: Cluster) -> bool:
    """Whether a cluster's brokers set super.users, whom no ACL stops; False when they do not tell.

    Raises ConnectError.
    """
    return any(
        name == _SUPER_USERS
        for _error, entries in await _broker_settings(cluster, _SUPER_USERS)
        for name, *_ in entries
    )


async def _broker_settings(cluster: Cluster, name: str) -> list[tuple[int, list[Any]]]:
    """Return what one broker answers about one of its configs: error code and entries."""
    node = min((await cluster.metadata([])).brokers, default=None)
    if node is None:
        raise ConnectError("asking cluster", cluster.name, "it names no broker")
    request = DescribeConfigsRequest([(_BROKER, str(node), [name])])
    response = await cluster.request(request, node)
    return [(error, entries) for error, _message, _kind, _name, entries in response.resources]


def _refused(
    operation: str, cluster: Cluster, error: int, message: str | None, needed: str
) -> KafkaError:
    if error == Code.SECURITY_DISABLED:
        return NoAuthorizerError(cluster.name)
    if error in codes.AUTHORIZATION:  # with a message that is another one each time
        next_step = f"Grant {needed} on the cluster {cluster.name} (docs/permissions.md)"
        return KafkaError(operation, cluster.name, codes.name(error), next_step)
    cause = f"{codes.name(error)}: {message}" if message else codes.name(error)
    return KafkaError(operation, cluster.name, cause)


def parse(payload: bytes) -> tuple[int, str | None, list[AclBinding]]:
    """Take an answer to DescribeAcls v1 apart: error code, message, bindings.

    Bindings of patterns or permissions that ccr does not know are left out. Raises struct.error,
    IndexError or ValueError when the answer is damaged.
    """
    error, at = int(I16.unpack_from(payload, 4)[0]), 6  # behind the throttle time
    message, at = _string(payload, at)
    count, at = int(I32.unpack_from(payload, at)[0]), at + 4
    found: list[AclBinding] = []
    for _ in range(count):
        resource, at = payload[at], at + 1
        name, at = _string(payload, at)
        kind, at = payload[at], at + 1
        known = resource in _RESOURCES and kind in _PATTERNS
        pattern = Pattern(ResourceType(resource), name or "", PatternType(kind)) if known else None
        rows, at = int(I32.unpack_from(payload, at)[0]), at + 4
        for _ in range(rows):
            principal, at = _string(payload, at)
            host, at = _string(payload, at)
            operation, permission = payload[at], payload[at + 1]
            at += 2
            if pattern is not None and permission in _PERMISSIONS:
                found.append(
                    AclBinding(
                        pattern,
                        principal or "",
                        host or "",
                        Operation(operation),
                        Permission(permission),
                    )
                )
    return error, message, found


def _string(payload: bytes, at: int) -> tuple[str | None, int]:
    length, at = int(I16.unpack_from(payload, at)[0]), at + 2
    if length < 0:
        return None, at
    end = at + length
    if end > len(payload):
        raise IndexError("a string reaches past its frame")
    return str(payload[at:end], "utf-8"), end
