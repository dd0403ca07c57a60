"""The network between the engine and its clusters breaks, stalls, lags and crawls."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.api.snapshots import FlowState
from engine.demo import bulk, producing
from engine.demo.reading import Reader
from tests.faults.conftest import Linked
from tests.faults.proxy import DOWN, UP, Proxy
from tests.faults.rig import CLICKS, IMPATIENT, ORDERS, READINGS, Rig, rig, until

pytestmark = pytest.mark.kafka

LARGE_FRAME = 64 * 1024  # of record data, not of metadata


@pytest.fixture
async def flow(linked: Linked, tmp_path: Path) -> AsyncIterator[Rig]:
    """A flow whose engine reaches both clusters by the proxy."""
    async with rig(linked.sandbox, tmp_path, linked.bootstrap) as made:
        try:
            yield made
        finally:
            linked.proxy.calm()


async def _trapped(proxy: Proxy, port: int, direction: str, action: str) -> None:
    """Lay a trap for record data, and wait until it goes off."""
    before = proxy.sprung()
    proxy.trap(port, direction=direction, action=action, least_frame=LARGE_FRAME)

    async def sprung() -> bool:
        return proxy.sprung() > before

    await until(sprung, f"the trap goes off: {action} {direction}")


async def test_connections_cut(linked: Linked, flow: Rig) -> None:
    """By RST, by FIN, and in the middle of a frame, on either side, under load."""
    proxy = linked.proxy
    await flow.load()
    engine = flow.engine()
    engine.start()
    await engine.works()
    for cluster, towards in (("east", DOWN), ("west", UP)):
        (port,) = linked.ports[cluster]
        for reset in (True, False):
            assert proxy.cut(port, reset=reset) > 0
            await engine.works()
        await _trapped(proxy, port, towards, "cut")
        await engine.works()
    await flow.intact(engine)


async def test_an_answer_to_the_load_never_comes(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What appends the load asks again, long before its patience ends; nothing is there twice."""
    monkeypatch.setattr(producing, "ANSWER_S", 1.0)
    (port,) = linked.ports["east"]
    shape = replace(ORDERS, topic=f"load-{uuid.uuid4().hex[:8]}", partitions=2, share=1.0)

    async def appended() -> int:
        async with Reader(linked.sandbox.bootstrap("east")) as reader:
            return sum(span.end for span in (await reader.spans([shape.topic])).values())

    async def begun() -> bool:
        return await appended() > 0

    loading = asyncio.create_task(
        bulk.load(linked.bootstrap["east"], 1_500_000, shapes=[shape], bytes_per_second=500_000)
    )
    await until(begun, "the load flows")
    before = linked.proxy.sprung()
    linked.proxy.trap(port, direction=DOWN, action="stall", least_frame=1)
    async with asyncio.timeout(60):
        report = await loading
    assert linked.proxy.sprung() == before + 1
    assert await appended() == report.records[shape.topic]


async def test_stalled_in_the_middle_of_a_frame(linked: Linked, flow: Rig) -> None:
    """A fetched and a sent frame stop half-way and their connections stay open: after the time
    limit the engine says so and goes on by new connections.
    """
    proxy = linked.proxy
    flow.timeouts = IMPATIENT
    engine = flow.engine()
    engine.start()
    await flow.load()
    await engine.works()
    for cluster, towards in (("west", UP), ("east", DOWN)):
        (port,) = linked.ports[cluster]
        await _trapped(proxy, port, towards, "stall")
    # First that it has answered nothing since, then that it has not within its time.
    waiting = await engine.reaches(FlowState.WAITING, 30, reason="answer")
    assert waiting.reason is not None
    assert "east" in waiting.reason.text or "west" in waiting.reason.text
    await engine.reaches(FlowState.RUNNING)
    await flow.intact(engine)


async def test_black_hole(linked: Linked, flow: Rig) -> None:
    """A source that accepts connections and never answers: named, and tried until it does.

    A target that does so: `test_three_brokers.py`.
    """
    (port,) = linked.ports["east"]
    await flow.load(1.5)
    flow.timeouts = IMPATIENT
    engine = flow.engine()
    engine.start()
    await engine.works()
    linked.proxy.black_hole(port)
    linked.proxy.cut(port, reset=True)
    waiting = await engine.reaches(FlowState.WAITING, reason="no answer within 3 s")
    assert waiting.reason is not None
    assert f"east at 127.0.0.1:{port}" in waiting.reason.text
    assert waiting.reason.next_step
    linked.proxy.calm(port)
    linked.proxy.cut(port, reset=True)  # what waits for an answer in the hole
    await engine.reaches(FlowState.RUNNING)
    await flow.intact(engine)


async def test_long_round_trip(linked: Linked, flow: Rig) -> None:
    """200 ms to either cluster: a backlog is mirrored at many megabytes a second all the same."""
    megabytes = 40
    await flow.backlog(megabytes, shapes=(ORDERS, READINGS))
    linked.proxy.weather(delay=0.1)
    engine = flow.engine()
    engine.start()
    await engine.works()
    began = time.monotonic()
    await flow.drained(engine)
    assert time.monotonic() - began < megabytes / 4, "less than 4 MB/s"
    await flow.backlog(2, shapes=(CLICKS,))
    await flow.intact(engine)


async def test_slow_jittering_link(linked: Linked, flow: Rig) -> None:
    """A backlog that comes fast and leaves slowly: what is held stays within bounds."""
    await flow.backlog(40, shapes=(ORDERS, READINGS))
    linked.proxy.weather(*linked.ports["west"], delay=0.02, jitter=0.08, rate=1_500_000)
    engine = flow.engine()
    engine.start()
    await engine.works()
    for _ in range(10):  # it never gives up on a link that is merely slow
        await engine.works(20)
        seen = await engine.flow_snapshot()
        assert seen is not None
        assert seen.state == FlowState.RUNNING, seen.reason
        await asyncio.sleep(0.5)
    linked.proxy.calm()
    await flow.intact(engine)
