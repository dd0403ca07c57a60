"""The records that never arrived, as a file: a JSON object a line, bytes as base64.

    {"topic", "partition", "offset", "timestamp", "key", "value", "headers": [[name, value], …],
     "producer_id", "producer_epoch", "sequence"}

`timestamp` in ms since 1970; key, value and headers' values are base64 or null; the last three are
left out where the producer was not idempotent. Ordered by topic, partition and offset, so that the
same records make the same file. It is whole, or it is not there.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from engine.errors import CcrError, RefusedError
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.fetch import TopicPartition
from engine.replication.verify.reading import Reader
from engine.runbook.divergence.model import Divergence, Exported, PartitionDivergence, Sides
from engine.runbook.divergence.records import diverged_records

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

OWNER_ONLY = 0o600


async def export(sides: Sides, divergence: Divergence, path: Path) -> Exported:
    """Write them to a file that only its owner may read; one that is there already is kept.

    Raises RefusedError when that one does not hold exactly these records, CcrError when the disk
    refuses, and ConnectError and KafkaError when they cannot be read (any more).
    """
    there: Exported | None = await asyncio.to_thread(_tried, _look, path, divergence)
    if there is not None:
        return there
    reader = Reader(sides.source)
    file = await asyncio.to_thread(_tried, _File, path)
    try:
        count = 0
        for partition in _ordered(divergence):
            async for header, rows in diverged_records(sides, reader, partition):
                await asyncio.to_thread(_tried, file.write, partition, header, rows)
                count += len(rows)
        digest = await asyncio.to_thread(_tried, file.finish)
    finally:
        reader.close()
        await asyncio.to_thread(file.discard)
    return Exported(str(path), count, digest)


def _ordered(divergence: Divergence) -> list[PartitionDivergence]:
    return sorted(divergence.diverged, key=lambda partition: partition.key)


def _tried(act: Any, *given: Any) -> Any:
    try:
        return act(*given)
    except OSError as error:
        path = next((each for each in given if isinstance(each, Path)), "the export")
        raise CcrError(
            "writing", str(path), error.strerror or str(error), "Name a file elsewhere"
        ) from error


class _File:
    """Written beside its place, and moved there once it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")  # what a killed try left goes
        self._digest = hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, OWNER_ONLY
        )
        os.fchmod(descriptor, OWNER_ONLY)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")

    def write(
        self, partition: PartitionDivergence, header: r.Batch, rows: Iterable[r.RawRecord]
    ) -> None:
        """Write some records."""
        for row in rows:
            line = json.dumps(_fields(partition, header, row), separators=(",", ":")) + "\n"
            data = line.encode()
            self._digest.update(data)
            self._file.write(data)

    def finish(self) -> str:
        """Put it in its place; return its SHA-256, hex."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind of a file that did not become whole."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def _fields(partition: PartitionDivergence, header: r.Batch, row: r.RawRecord) -> dict[str, Any]:
    key, value, headers = r.contents(row)
    fields: dict[str, Any] = {
        "topic": partition.topic,
        "partition": partition.partition,
        "offset": row.offset,
        "timestamp": row.timestamp,
        "key": _base64(key),
        "value": _base64(value),
        "headers": [[name, _base64(content)] for name, content in headers],
    }
    if header.producer_id != b.NO_PRODUCER_ID:
        fields["producer_id"] = header.producer_id
        fields["producer_epoch"] = header.producer_epoch
        fields["sequence"] = sequence_of(header, row)
    return fields


def sequence_of(header: r.Batch, row: r.RawRecord) -> int:
    """Return the sequence number that a record's producer gave it."""
    return b.add_sequence(header.base_sequence, row.offset - header.base_offset)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _look(path: Path, divergence: Divergence) -> Exported | None:
    """Return what an earlier try wrote; None when there is no such file."""
    if not path.exists():
        return None
    left = {each.key: [each.first, each.end, each.records] for each in divergence.diverged}
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            same = all(_expected(line, left, digest) for line in file)
    except (ValueError, KeyError, TypeError):
        same = False
    if not same or any(records for _, _, records in left.values()):
        raise RefusedError(
            "exporting to", str(path), "a file of that name holds something else",
            "Name another file, or move that one away",
        )  # fmt: skip
    return Exported(str(path), divergence.records, digest.hexdigest(), divergence.records)


def _expected(line: bytes, left: dict[TopicPartition, list[int]], digest: Hash) -> bool:
    """Whether a line is one of the records that are left; counts it."""
    digest.update(line)
    row = json.loads(line)
    extent = left[row["topic"], row["partition"]]
    first, end, records = extent
    extent[0], extent[2] = row["offset"] + 1, records - 1
    return bool(first <= row["offset"] < end and records > 0)
