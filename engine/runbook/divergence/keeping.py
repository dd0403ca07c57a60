"""What was found, kept in the flow's state topic: a record a topic, whatever the number of them.

Key `sync/divergence/<topic>`: `{"p": [a partition's fields, but for defaults, …]}`; key
`sync/divergence/.` (no topic's name): `{"source", "target", "at", "rebuilt"}`. So who goes on with
a failback has it, on any host; a journal in one record would outgrow what a topic takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from engine.replication.state_records import Entry, FlowRecord
from engine.runbook.divergence.model import Divergence, PartitionDivergence, Remember

NAME = "divergence"
_HEAD = "."
_ROWS = TypeAdapter(list[PartitionDivergence])


async def keep(remember: Remember, record: FlowRecord, divergence: Divergence) -> None:
    """Write down what was found, in place of what was found before. Raises as `remember` does."""
    topics: dict[str, list[PartitionDivergence]] = {}
    for partition in divergence.partitions:
        topics.setdefault(partition.topic, []).append(partition)
    head = {
        "source": divergence.source,
        "target": divergence.target,
        "at": divergence.at,
        "rebuilt": divergence.rebuilt,
    }
    entries = _forgotten(record, topics)
    entries += [(_key(topic), {"p": _dumped(rows)}) for topic, rows in topics.items()]
    # Last: where it stands, all the others do.
    await remember([*entries, (_key(_HEAD), head)])


def kept(flow: str, record: FlowRecord) -> Divergence | None:
    """Return what was found last and not forgotten since; None when there is nothing."""
    remembered = record.synced.get(NAME, {})
    head = remembered.get(_HEAD)
    if head is None:
        return None
    rows = [
        row
        for topic in sorted(remembered.keys() - {_HEAD})
        for row in _ROWS.validate_python(remembered[topic]["p"])
    ]
    return Divergence(
        flow, head["source"], head["target"], head["at"], head["rebuilt"], tuple(rows)
    )


async def forget(remember: Remember, record: FlowRecord) -> None:
    """The failback is over. Raises as `remember` does."""
    entries = _forgotten(record, {})
    if entries:
        await remember(entries)


def _forgotten(record: FlowRecord, but: Mapping[str, Any]) -> list[Entry]:
    """Return what deletes all that is kept but some topics: the head first."""
    names = record.synced.get(NAME, {}).keys() - but.keys()
    return [(_key(name), None) for name in sorted(names, key=lambda name: (name != _HEAD, name))]


def _key(name: str) -> str:
    return f"sync/{NAME}/{name}"


def _dumped(rows: list[PartitionDivergence]) -> list[dict[str, Any]]:
    dumped: list[dict[str, Any]] = _ROWS.dump_python(rows, mode="json", exclude_defaults=True)
    return dumped
