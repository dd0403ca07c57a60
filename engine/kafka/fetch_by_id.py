"""Fetch v13: topics by their id (KIP-516), and divergence told by the broker (KIP-595).

By id, because a topic that was deleted and created anew must not go on under its old name. With the
leader epoch of the last record that was read, because a source that lost records (an unclean leader
election) may have grown past our offset again: then only the epoch tells. Brokers since Kafka 3.1.
Format: `clients/src/main/resources/common/message/FetchRequest.json` and `FetchResponse.json`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from engine.kafka.fetch import (
    Aborted,
    Diverging,
    FetchResponse,
    PartitionData,
    Position,
    TopicPartition,
)
from engine.kafka.wire import I32, CompactReader, compact_string, uvarint

VERSION = 13

_FIXED = struct.Struct(
    ">iiiibii"
)  # replica, max wait ms, min bytes, max bytes, isolation, session, epoch
_PARTITION = struct.Struct(
    ">iiqiqib"
)  # partition, leader epoch, offset, last fetched epoch, log start, max bytes, no tags
_ANSWER = struct.Struct(">ihqqq")  # partition, error, high watermark, last stable, log start
_ABORTED = struct.Struct(">qqb")  # producer id, first offset, no tags
_DIVERGING = struct.Struct(">iq")  # epoch, end offset
_NO_TAGS = b"\0"
_TAG_DIVERGING = 0


def request_body(
    positions: Mapping[TopicPartition, Position],
    forgotten: Sequence[TopicPartition],
    topic_ids: Mapping[str, UUID],
    *,
    session: tuple[int, int],
    isolation: int,
    max_wait_ms: int,
    max_bytes: int,
    partition_max_bytes: int,
) -> bytes:
    """Encode a request; `session` is (id, epoch), `topic_ids` has every topic's id."""
    out = bytearray(_FIXED.pack(-1, max_wait_ms, 1, max_bytes, isolation, *session))
    by_topic = _by_topic(positions)
    out += uvarint(len(by_topic) + 1)
    for topic, partitions in by_topic.items():
        out += topic_ids[topic].bytes
        out += uvarint(len(partitions) + 1)
        for partition in partitions:
            offset, epoch, most = positions[topic, partition]
            most = most or partition_max_bytes
            out += _PARTITION.pack(partition, -1, offset, epoch, -1, most, 0)
        out += _NO_TAGS
    by_topic = _by_topic(forgotten)
    out += uvarint(len(by_topic) + 1)
    for topic, partitions in by_topic.items():
        out += topic_ids[topic].bytes
        out += uvarint(len(partitions) + 1)
        out += b"".join(map(I32.pack, partitions))
        out += _NO_TAGS
    out += compact_string("")  # rack
    out += _NO_TAGS
    return bytes(out)


def _by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    by_topic: dict[str, list[int]] = {}
    for topic, partition in partitions:
        by_topic.setdefault(topic, []).append(partition)
    return by_topic


def parse_response(frame: memoryview, names: Mapping[UUID, str]) -> FetchResponse:
    """Find every partition's record set; topics whose id is not in `names` are left out.

    Raises struct.error or IndexError for a cut-off frame.
    """
    reader = CompactReader(frame, 4)  # after the correlation id
    reader.tags()
    throttle_ms = reader.i32()
    error = reader.i16()
    session_id = reader.i32()
    return FetchResponse(error, session_id, list(_partitions(reader, names)), throttle_ms)


def _partitions(reader: CompactReader, names: Mapping[UUID, str]) -> Iterator[PartitionData]:
    for _ in range(reader.length()):
        topic = names.get(reader.uuid())
        for _ in range(reader.length()):
            data = _partition(reader, topic or "")
            if topic is not None:
                yield data
        reader.tags()


def _partition(reader: CompactReader, topic: str) -> PartitionData:
    partition, error, high, stable, log_start = _ANSWER.unpack_from(reader.view, reader.at)
    reader.at += _ANSWER.size
    aborted = []
    for _ in range(reader.length()):
        producer_id, first_offset, _ = _ABORTED.unpack_from(reader.view, reader.at)
        reader.at += _ABORTED.size
        aborted.append(Aborted(first_offset, producer_id))
    reader.at += 4  # preferred read replica: we always read from the leader
    size = reader.length()
    start = reader.at
    reader.at += size
    if reader.at > len(reader.view):
        raise IndexError("a record set reaches past its frame")
    end = reader.at
    return PartitionData(
        topic, partition, error, high, stable, log_start, tuple(aborted), start, end,
        _diverging(reader),
    )  # fmt: skip


def _diverging(reader: CompactReader) -> Diverging | None:
    """Pass over a partition's tagged fields; return where its log diverges from what we read."""
    found = None
    for _ in range(reader.uvarint()):
        tag = reader.uvarint()
        size = reader.uvarint()
        if tag == _TAG_DIVERGING:
            found = Diverging(*_DIVERGING.unpack_from(reader.view, reader.at))
        reader.at += size
    return found if found is None or found.end_offset >= 0 else None
