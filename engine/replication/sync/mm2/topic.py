"""One of MirrorMaker 2's topics: written by a flow, with an eye on who else writes there.

MirrorMaker 2 and its clients look at partition 0 of a compacted topic and at nothing but keys and
values, so a header tells our records from others'. Writes of one record twice, after an answer that
got lost, do no harm: the newest of a key counts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from engine.api.snapshots import OutOfStep
from engine.errors import KafkaError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import EARLIEST, LATEST, Cluster
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.metadata import NO_TOPIC_ID
from engine.replication import internal_topic
from engine.replication.backoff import Backoff
from engine.replication.tail import read_once

TOPIC_CONFIGS = {"cleanup.policy": "compact"}  # as MirrorMaker 2 creates them
FLOW_HEADER = "ccr.flow"
BATCH_RECORDS = 2_000
TRIES = 4
NEXT_STEP = "Grant CREATE, WRITE and READ on it (docs/permissions.md)"
_NO_PRODUCER = (b.NO_PRODUCER_ID, -1, -1)
_T = TypeVar("_T")

Row = tuple[bytes, bytes]  # key, value


@dataclass(frozen=True, slots=True)
class _Found:
    key: bytes
    value: bytes | None
    flow: str | None  # of ccr that wrote it
    timestamp: int  # ms


@dataclass(frozen=True, slots=True)
class _Stranger:
    who: str
    at: float  # monotonic


class Mm2Topic:
    """One topic on one cluster; the connection to its leader is kept from round to round."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        flow: str,
        *,
        setting: str,
        quiet_seconds: float,
        read_back: int,
        is_ours: Callable[[bytes], bool],
    ) -> None:
        """Write the keys that `is_ours` says, while nobody else has for `quiet_seconds`.

        The first look goes back `read_back` offsets at most. `setting` is what turns the topic off
        in a flow's section.
        """
        self.name = name
        self.complete = False  # the look that began anew began where the log begins
        self.anew = False  # the last look began anew: what it returned is what stands there
        self._cluster = cluster
        self._flow = flow
        self._setting = setting
        self._quiet_seconds = quiet_seconds
        self._read_back = read_back
        self._is_ours = is_ours
        self._connection: DataConnection | None = None
        self._topic_id = NO_TOPIC_ID
        self._next: int | None = None  # offset to look at next
        self._stranger: _Stranger | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.abort("closed by ccr")
            self._connection = None

    @property
    def in_the_way(self) -> OutOfStep | None:
        """Who else writes our keys, which we therefore do not write."""
        stranger = self._stranger
        if stranger is None or time.monotonic() - stranger.at > self._quiet_seconds:
            return None
        return OutOfStep(
            f"topic {self.name} on cluster {self._cluster.name}",
            f"{stranger.who} writes there what this flow would: ccr leaves it alone",
            f"Stop the other, or turn {self._setting} off; ccr goes on "
            f"{self._quiet_seconds:.0f} s after the other's last record",
        )

    async def look(self) -> list[Row]:
        """Return what others wrote since the last look, or what stands there (`anew`), ours too.

        Creates the topic where it is missing. Raises ConnectError, KafkaError,
        ConnectionLostError.
        """
        found = await self._trying(self._read)
        self._note(found)
        return [(each.key, each.value) for each in found if each.value is not None]

    def _note(self, found: Iterable[_Found]) -> None:
        now, monotonic = time.time(), time.monotonic()
        for each in found:
            if each.flow is not None and each.flow >= self._flow:
                continue  # ours; or another flow's, which leaves it to us
            if not self._is_ours(each.key):
                continue
            who = f"flow {each.flow} of ccr" if each.flow else "MirrorMaker 2, or another program,"
            self._stranger = _Stranger(who, monotonic - max(0.0, now - each.timestamp / 1000))

    async def write(self, rows: Sequence[Row]) -> None:
        """Append rows in their order; raises as `look` does."""
        for at in range(0, len(rows), BATCH_RECORDS):
            await self._trying(partial(self._append, rows[at : at + BATCH_RECORDS]))

    async def _trying(self, act: Callable[[], Awaitable[_T]]) -> _T:
        backoff = Backoff(0.05, 0.5)
        for left in reversed(range(TRIES)):
            try:
                return await act()
            except (ConnectionLostError, KafkaError) as error:
                self.close()
                if not left or (isinstance(error, KafkaError) and not error.retriable):
                    raise
            await backoff.sleep()
        raise AssertionError("the last try returns or raises")

    async def _connected(self) -> DataConnection:
        if self._connection is not None and self._connection.retires:
            self.close()
        if self._connection is None or self._connection.closed.done():
            leader = await internal_topic.ensure(self._cluster, self.name, TOPIC_CONFIGS)
            topic_id = (await self._cluster.metadata([self.name])).topic_id(self.name)
            if topic_id != self._topic_id:
                self._topic_id, self._next = topic_id, None
            self._connection = await self._cluster.data_connection(leader)
        return self._connection

    async def _append(self, rows: Sequence[Row]) -> None:
        connection = await self._connected()
        if self._next is None:
            raise KafkaError(
                "writing to", self.name, "it was deleted meanwhile", "It is created and filled anew"
            )
        now = int(time.time() * 1000)
        mark = [(FLOW_HEADER, self._flow.encode())]
        records = [r.RawRecord(0, now, 0, r.body(key, value, mark)) for key, value in rows]
        batch = r.encode(records, 0, _NO_PRODUCER)
        offset = await internal_topic.append(connection, self.name, batch, NEXT_STEP)
        if offset == self._next:
            self._next = offset + len(rows)  # nobody wrote meanwhile: nothing to look at

    async def _read(self) -> list[_Found]:
        connection = await self._connected()
        self.anew = self._next is None
        at = await self._first() if self._next is None else self._next
        found: list[_Found] = []
        while True:
            try:
                batches, end = await read_once(connection, (self.name, 0), at, wait_ms=0)
            except KafkaError:
                self._next = None  # cut, compacted, or another topic of that name
                raise
            for header, view in batches:
                at = max(at, header.next_offset)
                found.extend(_found(header, view))
            if not batches or at >= end:
                self._next = at
                return found

    async def _first(self) -> int:
        """Return where to begin to look: not too far back, a topic of others may be long."""
        metadata = await self._cluster.metadata([self.name])
        key = (self.name, 0)
        start = await self._cluster.list_offsets({key: EARLIEST}, metadata)
        end = await self._cluster.list_offsets({key: LATEST}, metadata)
        if key not in start or key not in end:
            raise KafkaError("reading", self.name, "it has no leader yet", retriable=True)
        first = max(start[key], end[key] - self._read_back)
        self.complete = first == start[key]
        return first


def _found(header: r.Batch, view: memoryview) -> Iterator[_Found]:
    if header.is_control:
        return
    for record in r.decode(view):
        key, value, headers = r.contents(record)
        flow = dict(headers).get(FLOW_HEADER)
        name = flow.decode(errors="replace") if flow else None
        yield _Found(key or b"", value, name, record.timestamp)
