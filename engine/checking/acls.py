"""What carrying ACLs takes on the clusters themselves (docs/permissions.md)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.checking.report import Grant, Permission, Problem
from engine.errors import KafkaError
from engine.kafka.acl_bindings import Operation, ResourceType
from engine.kafka.acls import NoAuthorizerError, describe_acls
from engine.kafka.cluster import Cluster
from engine.kafka.describe_cluster import cluster_operations

_NEEDED_ON_SOURCE = {Operation.DESCRIBE: "see its ACLs (sync.acls)"}
_NEEDED_ON_TARGET = {
    Operation.ALTER: "create and delete ACLs (sync.acls)",
    Operation.DESCRIBE_CONFIGS: "see whether it is open to all where no ACL is (sync.acls)",
}


async def check_acls(source: Cluster, target: Cluster) -> tuple[list[Permission], list[Problem]]:
    """Ask what of it we may do; raises ConnectError and KafkaError."""
    permissions: list[Permission] = []
    problems: list[Problem] = []
    for cluster, needed in ((source, _NEEDED_ON_SOURCE), (target, _NEEDED_ON_TARGET)):
        if not await _has_authorizer(cluster):
            text = f"cluster {cluster.name} has no authorizer, so it has no ACLs (sync.acls)"
            problems.append(Problem(text, "Set sync.acls: false, or give it an authorizer"))
            continue
        permissions += await _permissions(cluster, needed.items())
    return permissions, problems


async def _has_authorizer(cluster: Cluster) -> bool:
    try:
        await describe_acls(cluster, ResourceType.GROUP)
    except NoAuthorizerError:
        return False
    except KafkaError as error:
        if not error.next_step:  # another one than that it may not tell us
            raise
    return True


async def _permissions(
    cluster: Cluster, needed: Iterable[tuple[Operation, str]]
) -> list[Permission]:
    try:
        operations, note = await cluster_operations(cluster), ""
    except KafkaError as error:  # before Kafka 2.8
        operations, note = 0, error.cause
    lacking = Grant.UNKNOWN if note else Grant.MISSING
    return [
        Permission(
            cluster.name,
            operation.name,
            (),
            purpose,
            Grant.GRANTED if operations >> operation & 1 else lacking,
            note,
        )
        for operation, purpose in needed
    ]
