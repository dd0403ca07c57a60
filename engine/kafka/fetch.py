"""Fetch requests with incremental sessions (KIP-227), and where the record sets stand in an answer.

Fetch v11: the last version without tagged fields; for single reads, and for brokers that know no
topic ids (see fetch_by_id).
Format: `clients/src/main/resources/common/message/FetchRequest.json` and `FetchResponse.json`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.kafka.wire import I32, Reader, string

API_KEY = 1
VERSION = 11

NO_SESSION = 0
FINAL_EPOCH = -1  # a fetch outside any session
SESSION_NOT_FOUND, BAD_SESSION_EPOCH = 70, 71

READ_UNCOMMITTED, READ_COMMITTED = 0, 1

_FIXED = struct.Struct(
    ">iiiibii"
)  # replica, max wait ms, min bytes, max bytes, isolation, session, epoch
_PARTITION = struct.Struct(">iiqqi")  # partition, leader epoch, offset, log start, max bytes
_ANSWER = struct.Struct(
    ">ihqqqi"
)  # partition, error, high watermark, last stable, log start, aborted
_ABORTED = struct.Struct(">qq")

TopicPartition = tuple[str, int]


class Aborted(NamedTuple):
    """An aborted transaction that reaches into the fetched range."""

    first_offset: int
    producer_id: int


class Position(NamedTuple):
    """Where to read on: next offset, and the leader epoch of the last record before it, or -1.

    `max_bytes` is how much to send at most; 0 is what the request says for all.
    """

    offset: int
    epoch: int = -1
    max_bytes: int = 0


class Diverging(NamedTuple):
    """The broker's log of `epoch`, the newest that it shares with us, ends at `end_offset`."""

    epoch: int
    end_offset: int


class PartitionData(NamedTuple):
    """One partition's part of an answer; records are `frame[start:end]`."""

    topic: str
    partition: int
    error: int
    high_watermark: int
    last_stable_offset: int
    log_start_offset: int
    aborted: tuple[Aborted, ...]
    start: int
    end: int
    diverging: Diverging | None = None  # told by brokers since Kafka 3.1 (see fetch_by_id)


class FetchResponse(NamedTuple):
    """An answer, its record sets not looked into."""

    error: int
    session_id: int
    partitions: list[PartitionData]
    throttle_ms: int = 0  # for so long the broker answers nothing more (KIP-219)


def request_body(
    positions: Mapping[TopicPartition, Position],
    forgotten: Sequence[TopicPartition],
    *,
    session: tuple[int, int],
    isolation: int,
    max_wait_ms: int,
    max_bytes: int,
    partition_max_bytes: int,
) -> bytes:
    """Encode a request; `session` is (id, epoch)."""
    out = bytearray(_FIXED.pack(-1, max_wait_ms, 1, max_bytes, isolation, *session))
    by_topic = _by_topic(positions)
    out += I32.pack(len(by_topic))
    for topic, partitions in by_topic.items():
        out += string(topic)
        out += I32.pack(len(partitions))
        for partition in partitions:
            at = positions[topic, partition]
            out += _PARTITION.pack(
                partition, -1, at.offset, -1, at.max_bytes or partition_max_bytes
            )
    by_topic = _by_topic(forgotten)
    out += I32.pack(len(by_topic))
    for topic, partitions in by_topic.items():
        out += string(topic)
        out += I32.pack(len(partitions))
        for partition in partitions:
            out += I32.pack(partition)
    out += string("")  # rack
    return bytes(out)


def _by_topic(
    partitions: Mapping[TopicPartition, Position] | Sequence[TopicPartition],
) -> dict[str, list[int]]:
    by_topic: dict[str, list[int]] = {}
    for topic, partition in partitions:
        by_topic.setdefault(topic, []).append(partition)
    return by_topic


def parse_response(frame: memoryview) -> FetchResponse:
    """Find every partition's record set; raises struct.error or IndexError for a cut-off frame."""
    reader = Reader(frame, 4)  # after the correlation id
    throttle_ms = reader.i32()
    error = reader.i16()
    session_id = reader.i32()
    return FetchResponse(error, session_id, list(_partitions(reader)), throttle_ms)


def _partitions(reader: Reader) -> Iterator[PartitionData]:
    frame = reader.view
    for _ in range(reader.i32()):
        topic = reader.string() or ""
        for _ in range(reader.i32()):
            partition, error, high, stable, log_start, aborted_count = _ANSWER.unpack_from(
                frame, reader.at
            )
            reader.at += _ANSWER.size
            aborted = []
            for _ in range(max(aborted_count, 0)):
                producer_id, first_offset = _ABORTED.unpack_from(frame, reader.at)
                reader.at += _ABORTED.size
                aborted.append(Aborted(first_offset, producer_id))
            reader.at += 4  # preferred read replica: we always read from the leader
            size = max(reader.i32(), 0)
            start = reader.at
            reader.at += size
            if reader.at > len(frame):
                raise IndexError("a record set reaches past its frame")
            yield PartitionData(
                topic, partition, error, high, stable, log_start, tuple(aborted), start, reader.at
            )


class FetchSession:
    """The partitions of one broker that are being fetched, told to it incrementally.

    `want` and `drop` change what is wanted; `next_request` tells only what changed.
    """

    def __init__(self) -> None:
        self._id = NO_SESSION
        self._epoch = 0
        self._wanted: dict[TopicPartition, Position] = {}
        self._known: set[TopicPartition] = set()  # what the broker's session holds
        self._changed: set[TopicPartition] = set()
        self._dropped: set[TopicPartition] = set()  # known to the broker's session, unwanted

    def __len__(self) -> int:
        """Count of wanted partitions."""
        return len(self._wanted)

    def holds(self, partition: TopicPartition) -> bool:
        """Whether the broker was told of it: an answer without it says that nothing changed."""
        return partition in self._known

    def want(self, partition: TopicPartition, position: Position) -> None:
        """Fetch this partition from `position` on."""
        if self._wanted.get(partition) != position:
            self._wanted[partition] = position
            self._changed.add(partition)
            self._dropped.discard(partition)

    def drop(self, partition: TopicPartition) -> None:
        """Fetch this partition no more."""
        self._wanted.pop(partition, None)
        self._changed.discard(partition)
        if partition in self._known:
            self._dropped.add(partition)

    def reset(self) -> None:
        """Begin a new session with the next request (new connection, or the broker forgot ours)."""
        self._id = NO_SESSION
        self._epoch = 0
        self._known.clear()
        self._dropped.clear()

    def next_request(
        self,
    ) -> tuple[dict[TopicPartition, Position], list[TopicPartition], tuple[int, int]]:
        """Return (partitions to tell, partitions to forget, (session id, epoch))."""
        if self._epoch == 0:
            tell = dict(self._wanted)
            forget: list[TopicPartition] = []
        else:
            tell = {partition: self._wanted[partition] for partition in self._changed}
            forget = list(self._dropped)
        self._changed.clear()
        self._dropped.clear()
        self._known.difference_update(forget)
        self._known.update(tell)
        return tell, forget, (self._id, self._epoch)

    def answered(self, session_id: int) -> None:
        """Take note of an answer without a top-level error."""
        if session_id == NO_SESSION:
            self.reset()  # the broker's session cache is full: every request tells everything
            return
        self._id = session_id
        self._epoch = self._epoch % 0x7FFFFFFF + 1
