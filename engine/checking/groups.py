"""Whether a flow may commit for its consumer groups on the target (docs/permissions.md)."""

from __future__ import annotations

from engine.checking.report import Problem
from engine.config.flow_section import FlowConfig
from engine.errors import KafkaError
from engine.kafka import groups
from engine.kafka.cluster import Cluster
from engine.replication.sync.groups.selection import GroupSelector

_NAMED = 5


async def check_groups(flow: FlowConfig, source: Cluster, target: Cluster) -> list[Problem]:
    """Look at the groups that the source lists to us; name those that cannot be carried over.

    Raises ConnectError, KafkaError and TooSlowError.
    """
    listed = await groups.list_groups(source)
    with_offsets = [name for name, group in listed.items() if group.kind != groups.SHARE]
    taken = await GroupSelector(flow.groups).select(with_offsets)
    allowed = await groups.may_commit(target, taken)
    refused = sorted(name for name, answer in allowed.items() if answer is False)
    problems = []
    if refused:
        more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        names = ", ".join(refused[:_NAMED]) + more
        text = f"consumer groups {names} cannot be carried to {target.name}: READ is missing"
        problems.append(Problem(text, "Grant READ on the groups there, or set sync.groups: false"))
    errors = {str(each): each for each in allowed.values() if isinstance(each, KafkaError)}
    problems += [Problem(f"{e.operation} {e.object}: {e.cause}") for e in errors.values()]
    return problems
