"""Random commits on a source that is compacted, transacted, cut, grown and restarted: the record
that a group reads next on the target is, by content, the one that it would read next on the source.
"""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from engine.api.group_snapshots import GroupState
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import Running, create, grow, producer, read, running, until_async
from tests.kafka.group_tools import commit_all, committed

pytestmark = pytest.mark.kafka

GROUPS = 50
PARTITIONS = 12
COMPACTED, IN_TXNS, CUT = "compacted", "in-txns", "cut"
TOPICS = (COMPACTED, IN_TXNS, CUT)
Key = tuple[str, int]
Record = ConsumerRecord[bytes, bytes]


@pytest_asyncio.fixture
async def cleaned(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A source whose log cleaner runs at once."""
    east = ClusterSpec(properties={"log.cleaner.backoff.ms": "100"})
    own = Sandbox(tmp_path / "cleaned", {"east": east, "west": ClusterSpec()}, ephemeral=True)
    await own.up()
    try:
        yield own
    finally:
        await own.down()


@dataclass
class Source:
    """What was ever written, and what a reader finds now."""

    sandbox: Sandbox
    chance: random.Random
    partitions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, PARTITIONS))
    written: dict[Key, dict[bytes, int]] = field(default_factory=dict)  # offset by number
    number: int = 0

    async def make(self) -> None:
        """Create the topics."""
        cleaned = {
            "cleanup_policy": "compact",
            "segment_ms": "100",
            "min_cleanable_dirty_ratio": "0.01",
            "max_compaction_lag_ms": "100",
        }
        for topic in TOPICS:
            configs = cleaned if topic == COMPACTED else {}
            await create(self.sandbox, topic, PARTITIONS, **configs)

    async def write(self, records: int) -> None:
        """Write to every partition about so many, in batches of all sizes."""
        async with (
            producer(self.sandbox) as plain,
            producer(self.sandbox, transactional_id="txn") as txn,
        ):
            for _ in range(records // 10):
                await txn.begin_transaction()
                await self._some(txn, IN_TXNS, 10)
                if self.chance.random() < 0.3:
                    await txn.abort_transaction()
                else:
                    await txn.commit_transaction()
                await self._some(plain, CUT, 10)
                await self._some(plain, COMPACTED, 10)

    async def _some(self, by: AIOKafkaProducer, topic: str, records: int) -> None:
        sent = []
        for partition in range(self.partitions[topic]):
            for _ in range(self.chance.randint(1, 2 * records)):
                self.number += 1
                numbered = b"%d" % self.number
                value = None if self.chance.random() < 0.1 else b"value"
                key = b"%d" % self.chance.randint(0, 30)
                headers = [("number", numbered)]
                future = await by.send(topic, value, key, partition, headers=headers)
                sent.append((numbered, future))
        for numbered, future in sent:
            at = await future
            self.written.setdefault((topic, at.partition), {})[numbered] = at.offset

    async def now(self) -> dict[Key, list[Record]]:
        """Read everything that there is, committed."""
        found: dict[Key, list[Record]] = {}
        for topic in TOPICS:
            for partition in range(self.partitions[topic]):
                found[topic, partition] = []
            for record in await read(self.sandbox, "east", topic):
                found[topic, record.partition].append(record)
        return found

    async def compacted(self) -> None:
        """Write more, which closes segments, until the cleaner took something."""
        async with producer(self.sandbox) as plain:

            async def holes() -> bool:
                await self._some(plain, COMPACTED, 1)
                left = await read(self.sandbox, "east", COMPACTED)
                written = (at for (topic, _), at in self.written.items() if topic == COMPACTED)
                return len(left) < sum(map(len, written))

            await until_async(holes, "the cleaner took something")

    async def cut(self) -> None:
        """Delete the first half of one topic's partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.sandbox.bootstrap("east"))
        await admin.start()
        ends = {key: max(at.values()) // 2 for key, at in self.written.items() if key[0] == CUT}
        await admin.delete_records(
            {TopicPartition(*key): RecordsToDelete(before_offset=at) for key, at in ends.items()}
        )
        await admin.close()

    async def grow(self) -> None:
        """Give one topic more partitions."""
        self.partitions[IN_TXNS] += 4
        await grow(self.sandbox, IN_TXNS, self.partitions[IN_TXNS])


@dataclass
class Tally:
    """What was compared."""

    same: int = 0
    gone: int = 0  # the target still has what the source took away since
    wrong: list[str] = field(default_factory=list)


async def _mirror_caught_up(engine: Running, source: Source) -> None:
    async def caught_up() -> bool:
        await asyncio.sleep(0)
        board = engine.flow.board.partitions
        return all(
            (key in board) and board[key].acked.source > max(at.values(), default=-1)
            for key, at in source.written.items()
        )

    await until_async(caught_up, "all is mirrored", 60)


async def _round(engine: Running, source: Source, number: int, tally: Tally) -> None:
    """Let all groups commit anywhere; compare what they would read next on both sides."""
    await _mirror_caught_up(engine, source)
    ours = await source.now()
    ends = {key: engine.flow.board.partitions[key].acked.source for key in ours}
    starts = dict.fromkeys(ours, 0)
    starts |= {key: rows[0].offset for key, rows in ours.items() if rows and key[0] == CUT}
    commits = {
        f"group-{group}": {key: source.chance.randint(starts[key], ends[key]) for key in ours}
        for group in range(GROUPS)
    }
    await commit_all(source.sandbox, "east", commits, f"round {number}")
    asked = time.time()

    async def in_step() -> bool:
        page = await engine.api.flows.groups(engine.name)
        return page.looked_at > asked and all(
            each.state == GroupState.IN_STEP for each in page.groups
        )

    await until_async(in_step, "all groups are in step", 60)
    theirs: dict[Key, list[Record]] = {key: [] for key in ours}
    for topic in TOPICS:
        for record in await read(source.sandbox, "west", topic):
            theirs[topic, record.partition].append(record)
    ours = await source.now()  # once more: the cleaner goes on
    targets = await committed(source.sandbox, "west", commits)
    for group, offsets in commits.items():
        for key, offset in offsets.items():
            target, metadata = targets[group][key]
            assert metadata == f"round {number}"
            _compare(source, key, offset, ours[key], _from(theirs[key], target), tally)


def _from(records: list[Record], offset: int) -> Record | None:
    index = bisect_left(records, offset, key=lambda record: record.offset)
    return records[index] if index < len(records) else None


def _compare(
    source: Source, key: Key, offset: int, ours: list[Record], found: Record | None, tally: Tally
) -> None:
    wanted = _from(ours, offset)
    if found is None or wanted is None:
        if found is wanted:
            tally.same += 1
        else:
            tally.wrong.append(f"{key} at {offset}: {found} instead of {wanted}")
    elif (found.headers, found.key, found.value) == (wanted.headers, wanted.key, wanted.value):
        tally.same += 1
    else:
        at = source.written[key][dict(found.headers)["number"]]
        # The first that was there at all: the source has lost it since, to the cleaner or a cut.
        if key[0] != IN_TXNS and offset <= at < wanted.offset:
            tally.gone += 1
        else:
            tally.wrong.append(f"{key} at {offset}: the record of {at}, not of {wanted.offset}")


async def _compare_commits(cleaned: Sandbox, rounds: int, records: int) -> Tally:
    """Run all that can happen to a source, and rounds of commits in between."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    source, tally = Source(cleaned, random.Random(seed)), Tally()
    settings = {
        "name": "content",
        "groups": {"interval": "500ms", "rewind": True},
        "configs": {"pinned": {COMPACTED: {"cleanup.policy": "delete"}}},
    }
    await source.make()
    await source.write(records)
    await source.compacted()
    async with running(cleaned, list(TOPICS), **settings) as engine:
        await _round(engine, source, 0, tally)
        await source.write(records)
        await _round(engine, source, 1, tally)
        await source.grow()
        await cleaned.restart_cluster("east")
        await source.write(records)
        await _round(engine, source, 2, tally)
    await source.write(records)
    async with running(cleaned, list(TOPICS), **settings) as engine:
        await _mirror_caught_up(engine, source)  # kill -9 may bring back what was cut
        await source.cut()
        await _round(engine, source, 3, tally)
        await cleaned.restart_cluster("east", kill=True)
        for number in range(4, rounds):
            await source.write(records)
            await _round(engine, source, number, tally)
    print(f"{tally.same} same, {tally.gone} gone from the source, {len(tally.wrong)} wrong")
    return tally


async def test_the_next_record_is_the_same(cleaned: Sandbox) -> None:
    """For more than 10,000 random commits in 50 groups, 0 are wrong."""
    tally = await _compare_commits(cleaned, rounds=7, records=20)
    assert not tally.wrong, tally.wrong[:5]
    assert tally.same >= 10_000


@pytest.mark.soak
async def test_the_next_record_is_the_same_for_long(cleaned: Sandbox) -> None:
    """The same with ten times the rounds and more records."""
    tally = await _compare_commits(cleaned, rounds=80, records=100)
    assert not tally.wrong, tally.wrong[:5]
    assert tally.same > 3 * tally.gone
