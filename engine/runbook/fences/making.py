"""Making fences: from what was chosen, or from what a journal kept."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.runbook.fences.acl import AclFence
from engine.runbook.fences.command import CommandFence
from engine.runbook.fences.manual import ManualFence
from engine.runbook.fences.max_message_bytes import MaxMessageBytesFence
from engine.runbook.fences.protocol import (
    AclChoice,
    AclRecord,
    Ask,
    CommandChoice,
    CommandRecord,
    Fence,
    FenceChoice,
    FenceRecord,
    ManualChoice,
    ManualRecord,
    MaxMessageBytesChoice,
    MaxMessageBytesRecord,
)


def make_fence(
    choice: FenceChoice, source: Cluster, flow: str, topics: Iterable[str], ask: Ask
) -> Fence:
    """Make a fence around topics of a flow; `ask` is how a manual one reaches the operator."""
    match choice:
        case AclChoice():
            return AclFence(source, flow, topics, choice.principals)
        case MaxMessageBytesChoice():
            return MaxMessageBytesFence(source, flow, topics)
        case CommandChoice():
            return CommandFence(source, flow, topics, choice)
        case ManualChoice():
            return ManualFence(source, flow, topics, choice, ask)


def recorded_fence(record: FenceRecord, source: Cluster, ask: Ask) -> Fence:
    """Make the fence that a record is of, to look at it or to lift it.

    Raises RefusedError when `source` is another cluster.
    """
    if record.source != source.name:
        raise RefusedError(
            "looking at the fence of", f"flow {record.flow}",
            f"it is on cluster {record.source}, not on {source.name}",
        )  # fmt: skip
    return make_fence(_choice(record), source, record.flow, record.topics, ask)


def _choice(record: FenceRecord) -> FenceChoice:
    match record:
        case AclRecord():
            return AclChoice(principals=record.principals)
        case MaxMessageBytesRecord():
            return MaxMessageBytesChoice()
        case CommandRecord():
            return CommandChoice(
                raise_command=record.raise_command,
                lift_command=record.lift_command,
                timeout_s=record.timeout_s,
            )
        case ManualRecord():
            return ManualChoice(raise_by=record.raise_by, lift_by=record.lift_by)
