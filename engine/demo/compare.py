"""Are two clusters' topics the same, record by record? The judge of the demo and the crash tests.

Each partition is read from both clusters side by side and compared as it streams: key, value,
headers, timestamp, order; offsets may differ. That takes no memory to speak of, whatever the size.
Only a partition in which something differs is read once more, both sides reduced to 64 bits and an
offset a record, so that `engine.demo.classify` can say what happened (about 32 bytes a record of
that one partition, and 300 of the stretch that differs).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections.abc import AsyncIterator, Callable, Mapping

from engine.demo.classify import Difference, classify
from engine.demo.comparison import Comparison, Example, what_happened
from engine.demo.reading import Reader, Record, Span, fingerprint, same
from engine.errors import KafkaError
from engine.sandbox.together import together

MOST_EXAMPLES = 5
PAIRS_AT_ONCE = 3  # one alone waits for its fetches half of the time

ProgressCallback = Callable[[int, int], None]
"""Called with the records compared so far and the offsets there are in all (about the same)."""


async def compare(
    source_bootstrap: str,
    target_bootstrap: str,
    topics: Mapping[str, str],
    *,
    most_examples: int = MOST_EXAMPLES,
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Compare `topics` (source name to target name) as they are now; both sides must stand still.

    A topic or partition that one side lacks counts as empty there. Raises ConnectError when a
    cluster cannot be reached, KafkaError when it cannot be read or changes meanwhile.
    """
    began = time.monotonic()
    result = Comparison()
    async with Reader(source_bootstrap) as source, Reader(target_bootstrap) as target:
        pairs = _pairs(
            topics, await source.spans(topics.keys()), await target.spans(set(topics.values()))
        )
    total = sum(span.end - span.start for span, _ in pairs)
    waiting = iter(pairs)
    diagnosing = asyncio.Lock()  # the one part that takes memory

    async def work() -> None:
        async with Reader(source_bootstrap) as source, Reader(target_bootstrap) as target:
            for pair in waiting:
                await _Pair(source, target, *pair, most_examples, diagnosing).compare(result)
                if progress is not None:
                    progress(result.source_records, total)

    await together(work() for _ in range(min(PAIRS_AT_ONCE, len(pairs))))
    result.examples.sort(key=lambda example: (example.topic, example.partition))
    result.seconds = time.monotonic() - began
    return result


def _pairs(
    topics: Mapping[str, str],
    source: Mapping[tuple[str, int], Span],
    target: Mapping[tuple[str, int], Span],
) -> list[tuple[Span, Span]]:
    """Return every partition of either side with its counterpart, an empty one if there is none."""
    pairs = []
    for name, mirror in sorted(topics.items()):
        numbers = {p for t, p in source if t == name} | {p for t, p in target if t == mirror}
        pairs += [
            (
                source.get((name, p)) or Span(name, p, 0, 0),
                target.get((mirror, p)) or Span(mirror, p, 0, 0),
            )
            for p in sorted(numbers)
        ]
    return pairs


class _Pair:
    """One partition and its mirror."""

    def __init__(
        self,
        source: Reader,
        target: Reader,
        source_span: Span,
        target_span: Span,
        most_examples: int,
        diagnosing: asyncio.Lock,
    ) -> None:
        self._source, self._source_span = source, source_span
        self._target, self._target_span = target, target_span
        self._most_examples = most_examples
        self._diagnosing = diagnosing

    async def compare(self, result: Comparison) -> None:
        result.partitions += 1
        equal = await self._equal_records()
        if equal is None:
            async with self._diagnosing:
                await self._diagnose(result)
        else:
            result.source_records += equal
            result.target_records += equal

    async def _equal_records(self) -> int | None:
        """Return how many records there are, None as soon as something differs."""
        count = 0
        ours: list[Record] = []
        theirs: list[Record] = []
        async with (
            contextlib.aclosing(self._source.read(self._source_span)) as source,
            contextlib.aclosing(self._target.read(self._target_span)) as target,
        ):
            while True:
                # One after the other is as fast: aiokafka fetches ahead on both.
                ours = ours or await anext(source, [])
                theirs = theirs or await anext(target, [])
                if not ours and not theirs:
                    return count
                common = min(len(ours), len(theirs))
                if not common or not all(map(same, ours, theirs)):
                    return None
                count += common
                ours, theirs = ours[common:], theirs[common:]

    async def _diagnose(self, result: Comparison) -> None:
        source_offsets, source_contents = await _reduce(self._source.read(self._source_span))
        target_offsets, target_contents = await _reduce(self._target.read(self._target_span))
        found = await asyncio.to_thread(
            classify, source_contents, target_contents, most_examples=self._most_examples
        )
        if not found.counts:
            raise KafkaError(
                "comparing",
                f"{self._source_span.topic}/{self._source_span.partition}",
                "it changed while it was compared",
                "Stop what writes to or deletes from it, then compare again",
            )
        result.source_records += len(source_offsets)
        result.target_records += len(target_offsets)
        result.counts.update(found.counts)
        for difference in found.examples:
            result.examples.append(await self._example(difference, source_offsets, target_offsets))

    async def _example(
        self, difference: Difference, source_offsets: array[int], target_offsets: array[int]
    ) -> Example:
        ours, theirs = self._source_span, self._target_span
        i, j = difference.source, difference.target
        source_offset = None if i is None else source_offsets[i]
        target_offset = None if j is None else target_offsets[j]
        source = target = None
        if source_offset is not None:
            source = await self._source.record_at(ours.topic, ours.partition, source_offset)
        if target_offset is not None:
            target = await self._target.record_at(theirs.topic, theirs.partition, target_offset)
        return Example(
            difference.kind,
            ours.topic,
            theirs.topic,
            ours.partition,
            source_offset,
            target_offset,
            what_happened(difference.kind, source, target),
        )


async def _reduce(chunks: AsyncIterator[list[Record]]) -> tuple[array[int], array[int]]:
    """Return the offsets and the contents of all records."""
    offsets, contents = array("q"), array("Q")
    async for records in chunks:
        offsets.extend(record.offset for record in records)
        contents.extend(map(fingerprint, records))
    return offsets, contents
