"""The state topic's compare-and-swap, on a real broker: who was superseded writes nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from engine.config.cluster_section import ClusterConfig
from engine.errors import KafkaError
from engine.identity import EngineIdentity, this_engine
from engine.kafka.cluster import Cluster
from engine.replication.state_log import StateLog, SupersededError
from engine.sandbox import Sandbox
from tests.kafka.engines import POLL_S, FreshTopic

pytestmark = pytest.mark.kafka


@pytest.fixture
async def cluster(sandbox: Sandbox) -> AsyncIterator[Cluster]:
    """The target's cluster."""
    found = Cluster("west", ClusterConfig(bootstrap_servers=sandbox.bootstrap("west").split(",")))
    yield found
    await found.close()


async def _served(log: StateLog) -> None:
    """Wait until the new topic's leader knows that it is."""
    async with asyncio.timeout(60):
        while True:
            try:
                await log.read()
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(POLL_S)
            else:
                return


async def _owner(flow: str, cluster: Cluster, me: EngineIdentity) -> str:
    """Read anew who owns a flow."""
    log = StateLog(flow, cluster, me)
    await log.read()
    await log.close()
    assert log.record.owner is not None
    return log.record.owner.engine_id


async def test_appends_that_wait_while_it_is_found_out_are_refused_too(
    cluster: Cluster, fresh_topic: FreshTopic
) -> None:
    """The one that finds out learns the next sequence; those behind it must not use it."""
    flow = fresh_topic("flow")
    me = this_engine()
    zombie, second = (
        StateLog(flow, cluster, me),
        StateLog(flow, cluster, replace(me, engine_id="second")),
    )
    try:
        await zombie.create()
        await _served(zombie)
        await zombie.establish_identity()
        await zombie.claim()
        await second.read()
        await second.establish_identity()
        await second.claim()
        failures = await asyncio.gather(
            *(zombie.append([("paused", {"paused": True, "at": 0})]) for _ in range(3)),
            return_exceptions=True,
        )
        assert [type(failure) for failure in failures] == [SupersededError] * 3
        assert await _owner(flow, cluster, me) == "second"
    finally:
        await zombie.close()
        await second.close()


async def test_a_heartbeat_that_waits_while_the_flow_is_given_up_does_not_take_that_back(
    cluster: Cluster, fresh_topic: FreshTopic
) -> None:
    """Whoever stands by would otherwise wait until its silence is long enough."""
    flow = fresh_topic("flow")
    log, after = (StateLog(flow, cluster, this_engine()) for _ in range(2))
    try:
        await log.create()
        await _served(log)
        await log.establish_identity()
        await log.claim()
        results = await asyncio.gather(
            log.append([]), log.release([]), log.append([]), log.append([]), return_exceptions=True
        )
        assert results[:2] == [None, None]
        assert [type(each) for each in results[2:]] == [KafkaError] * 2
        await after.read()
        assert after.record.owner is not None
        assert after.record.owner.released
    finally:
        await log.close()
        await after.close()
