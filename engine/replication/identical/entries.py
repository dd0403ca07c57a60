"""What aligning has in the flow's state topic (docs/state.md).

    sync/identical/<topic>/<partition>  {"s": offset at which the mirror shall begin,
                                         "p": producer id that fills, -1 before it is known}
    sync/identical/<mirror topic>       {"configs": {name: value before, or null},
                                         "withheld": true}

The first from the moment that a partition's start is decided until its checkpoint stands; the
second while something is otherwise on the topic (topic_hold).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.kafka.fetch import TopicPartition
from engine.replication.state_records import Entry, FlowRecord

SYNCER = "identical"
Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A partition that is to be aligned."""

    start: int
    filled_by: int = -1  # producer id


def goal_entry(key: TopicPartition, goal: Goal | None) -> Entry:
    """Encode a goal; None: it is reached, or given up."""
    value = None if goal is None else {"s": goal.start, "p": goal.filled_by}
    return f"sync/{SYNCER}/{key[0]}/{key[1]}", value


def hold_entry(topic: str, value: Value | None) -> Entry:
    """Encode what is otherwise on a mirror topic; None: nothing any more."""
    return f"sync/{SYNCER}/{topic}", None if value is None else dict(value)


def goals(record: FlowRecord) -> dict[TopicPartition, Goal]:
    """Return the goals that a former run did not reach."""
    found: dict[TopicPartition, Goal] = {}
    for name, value in record.synced.get(SYNCER, {}).items():
        topic, slash, partition = name.rpartition("/")
        if slash and (topic, int(partition)) not in record.checkpoints:
            found[topic, int(partition)] = Goal(value["s"], value["p"])
    return found


def holds(record: FlowRecord) -> dict[str, Value]:
    """Return what a former run left otherwise on mirror topics."""
    synced = record.synced.get(SYNCER, {})
    return {name: value for name, value in synced.items() if "/" not in name}
