"""Fences on real brokers: nobody gets past them, and afterwards all is as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.errors import KafkaError, RefusedError
from engine.runbook.fences import (
    RECORD,
    recorded_fence,
)
from engine.runbook.standing import standing
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import FreshTopic, create, producer, read
from tests.kafka.fencing import (
    KINDS,
    content,
    counting,
    delete,
    described,
    nobody,
    put,
    set_on,
    size_fence,
    source,
    stops,
    tried_again,
    writing,
)

pytestmark = pytest.mark.kafka

QUIET_S = 1.0


async def test_nobody_writes_once_it_stands(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """acks 0, 1, all, idempotent, transactional: they try on, and not a record arrives."""
    await keep_out(sandbox, fresh_topic("fenced"))


@pytest.mark.soak
@pytest.mark.parametrize(
    "spec",
    [ClusterSpec(kafka_version="3.3.2"), ClusterSpec(3, kafka_version="3.9.2"), ClusterSpec(3)],
    ids=lambda spec: f"{spec.brokers}x{spec.kafka_version}",
)
async def test_on_other_brokers(spec: ClusterSpec, tmp_path: Path, fresh_topic: FreshTopic) -> None:
    """Each broker learns of it by itself."""
    async with Sandbox(tmp_path / "own", {"east": spec}, ephemeral=True) as own:
        await keep_out(own, fresh_topic("fenced"), replicas=spec.brokers)
        await wait_for_an_open_transaction(own, fresh_topic("open"), commits=True)


async def keep_out(sandbox: Sandbox, topic: str, *, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    await admin.create_topics([NewTopic(topic, len(KINDS), replicas)])
    await admin.close()
    client = {"bootstrap_servers": sandbox.bootstrap("east")}
    async with source(sandbox) as at, writing(topic, client) as writers:
        fence = size_fence(at, topic)
        record = await fence.record()
        await fence.raise_up(record)
        assert (await fence.stands(record)).stands is True
        seen = await standing(at, [topic], quiet_s=QUIET_S, timeout_s=30)
        assert seen.tight, seen
        there = await content(sandbox, topic)
        accepted = [len(each.accepted) for each in writers[1:]]
        await tried_again(writers)
        assert await content(sandbox, topic) == there
        again = await standing(at, [topic], quiet_s=0.1, timeout_s=10)
        # A transaction that is refused is aborted, and its marker arrives: no record does.
        moved = {key for key, end in again.ends.items() if end != seen.ends[key]}
        assert moved == {(topic, list(KINDS).index("transactional"))}
        assert [len(each.accepted) for each in writers[1:]] == accepted
        assert {each.refusals[-1] for each in writers[1:4]} == {"MessageSizeTooLargeError"}
        for each in writers[1:]:
            values = [value for _, value in there[each.partition]]
            assert values[: len(each.accepted)] == each.accepted
        await fence.lift(record)
        await tried_again(writers)
        after = await content(sandbox, topic)
        assert all(len(after[number]) > len(there[number]) for number in range(len(KINDS)))


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "aborts"])
async def test_an_open_transaction_ends(
    sandbox: Sandbox, fresh_topic: FreshTopic, *, commits: bool
) -> None:
    """It is waited for by name; its marker arrives through the fence, its id is usable again."""
    await wait_for_an_open_transaction(sandbox, fresh_topic("open"), commits=commits)


async def wait_for_an_open_transaction(sandbox: Sandbox, topic: str, *, commits: bool) -> None:
    await create(sandbox, topic)
    async with source(sandbox) as at, producer(sandbox, transactional_id=topic) as slow:
        await slow.begin_transaction()
        await slow.send_and_wait(topic, b"before the fence")
        fence = size_fence(at, topic)
        record = await fence.record()
        await fence.raise_up(record)
        told: list[str] = []
        seen = await standing(at, [topic], quiet_s=0.2, timeout_s=1.5, tell=told.append)
        assert not seen.tight
        (transaction,) = seen.transactions
        assert transaction.transactional_id == topic
        assert transaction.partitions == {(topic, 0): 0}
        assert transaction.state == "Ongoing"
        assert 0 < (transaction.age_s or 0) < (transaction.timeout_s or 0) == 60
        assert seen.stable == {(topic, 0): 0}
        assert seen.ends == {(topic, 0): 1}
        assert f"1 transaction open; Transaction of {topic}" in told[-1]
        waiting = asyncio.create_task(standing(at, [topic], quiet_s=0.2, timeout_s=30))
        await (slow.commit_transaction() if commits else slow.abort_transaction())
        seen = await waiting
        assert seen.tight
        assert seen.transactions == ()
        assert seen.ends == seen.stable == {(topic, 0): 2}  # record and marker
        await fence.lift(record)
    async with producer(sandbox, transactional_id=topic) as again, again.transaction():
        await again.send_and_wait(topic, b"after it was lifted")
    values = [each.value for each in await read(sandbox, "east", topic)]
    assert values == [b"before the fence"] * commits + [b"after it was lifted"]


async def test_ten_bytes_get_through_and_not_one_more(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """The value is 78 and not less; what its finding says of small records is so."""
    topic = fresh_topic("small")
    await create(sandbox, topic)
    async with source(sandbox) as at, producer(sandbox) as plain:
        await described(at, topic)
        fence = size_fence(at, topic)
        assert any("ten bytes or less" in each.text for each in await fence.examine())
        await fence.raise_up(await fence.record())
        assert await set_on(sandbox, [topic]) == {topic: "78"}
        await plain.send_and_wait(topic, b"123456", key=b"7890")
        with pytest.raises(kafka_errors.MessageSizeTooLargeError):
            await plain.send_and_wait(topic, b"1234567", key=b"7890")


async def test_configs_are_restored_exactly(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """Absent stays absent, a value returns; what somebody changed meanwhile is left, and told."""
    absent, valued, changed, removed, gone = (
        fresh_topic(name) for name in ("absent", "valued", "changed", "removed", "gone")
    )
    for topic in (absent, gone):
        await create(sandbox, topic)
    for topic in (valued, changed, removed):
        await create(sandbox, topic, max_message_bytes="50000", retention_ms="86400000")
    topics = [absent, valued, changed, removed]
    async with source(sandbox) as at:
        await described(at, *topics, gone)
        fence = size_fence(at, *topics, gone)
        record = await fence.record()
        assert RECORD.validate_json(RECORD.dump_json(record)) == record
        await put(at, valued, "78")  # whoever raised it died halfway, and is begun again
        await fence.raise_up(record)
        await fence.raise_up(record)
        assert set((await set_on(sandbox, topics)).values()) == {"78"}
        await put(at, changed, "60000")
        await put(at, removed, None)
        await delete(sandbox, gone)
        seen = await fence.stands(record, [*topics, "came-later"])
        assert seen.stands is False
        assert seen.open_topics == tuple(sorted([changed, removed, gone]))
        assert seen.outside == ("came-later",)

        lifter = recorded_fence(RECORD.validate_json(RECORD.dump_json(record)), at, nobody)
        done = await lifter.lift(record)
        wanted = {absent: None, valued: "50000", changed: "60000", removed: None}
        assert await set_on(sandbox, topics) == wanted
        told = " ".join(each.text for each in done.findings)
        assert f"of topic {changed} is 60000, which is not the fence's" in told
        assert f"of topic {removed} was removed" in told
        assert f"gone: topic {gone}" in told
        assert absent not in told
        assert valued not in told
        again = await lifter.lift(record)
        assert again.text == "max.message.bytes is as it was on 2 topics"
        assert await set_on(sandbox, topics) == wanted


async def test_what_changed_since_it_was_recorded_is_not_fenced(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Its new value would be lost: whoever raises has to look again."""
    topic = fresh_topic("moved")
    await create(sandbox, topic)
    async with source(sandbox) as at:
        await described(at, topic)
        fence = size_fence(at, topic)
        record = await fence.record()
        await put(at, topic, "60000")
        with pytest.raises(RefusedError, match="somebody changed max"):
            await fence.raise_up(record)
        assert await set_on(sandbox, [topic]) == {topic: "60000"}


async def test_what_would_stop_it_is_found(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """A fence that stands already, and a topic that is not there; and nothing is changed."""
    fenced, fine = fresh_topic("fenced"), fresh_topic("fine")
    await create(sandbox, fenced, max_message_bytes="78")
    await create(sandbox, fine, max_message_bytes="60000")
    async with source(sandbox) as at:
        await described(at, fine, fenced)
        assert stops(await size_fence(at, fine).examine()) == []
        (already,) = stops(await size_fence(at, fenced, fine).examine())
        assert already == f"max.message.bytes is 78 or less already on topic {fenced}"
        missing = stops(await size_fence(at, "not-there", fine).examine())
        assert [each for each in missing if "not-there" in each]
        with pytest.raises(KafkaError, match="1 of 2 topics were refused, the first not-there"):
            await size_fence(at, "not-there", fine).record()
    assert await set_on(sandbox, [fenced, fine]) == {fenced: "78", fine: "60000"}


async def test_a_hundred_topics_in_few_requests(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """One DescribeConfigs and one IncrementalAlterConfigs for all; three requests a look."""
    prefix = fresh_topic("many")
    topics = [f"{prefix}-{number:03}" for number in range(100)]
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 3, 1) for topic in topics])
    await admin.close()
    looks: list[str] = []
    try:
        async with source(sandbox) as plain, counting(plain) as at:
            await described(at, *topics)
            at.sent.clear()
            fence = size_fence(at, *topics)
            assert stops(await fence.examine()) == []
            record = await fence.record()
            await fence.raise_up(record)
            looked = at.sent.pop("MetadataRequest")  # until the broker knew
            assert at.sent == {"DescribeRequest": 3 + looked, "AlterRequest": 2}
            assert (await fence.stands(record)).stands is True
            at.sent.clear()
            seen = await standing(at, topics, quiet_s=0.5, timeout_s=20, tell=looks.append)
            assert seen.tight
            assert len(seen.ends) == 300
            assert at.sent == {
                "MetadataRequest": len(looks),
                "OffsetRequest": 2 * len(looks),
                "DescribeProducersRequest": 1,
            }
            await fence.lift(record)
            assert set((await set_on(sandbox, topics[::20])).values()) == {None}
    finally:
        await delete(sandbox, *topics)
