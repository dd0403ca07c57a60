"""The old source comes back with records that never arrived: all are accounted for, then home."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from engine.api.runbook_snapshots import Run, RunKind, RunOptions, RunState, StepName
from engine.api.snapshots import FlowState
from engine.runbook.divergence import Mode
from engine.sandbox import Sandbox
from tests.faults.test_failover import own, values
from tests.kafka.engines import create, until
from tests.kafka.switching import PARTITIONS, Hands, Site, told

__all__ = ["own"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(280)]

ARRIVED, DIVERGED, OWN = 100, 5000, 60


async def put(site: Site, cluster: str, first: int, count: int) -> set[int]:
    """Write numbered records; return the numbers."""
    producer = AIOKafkaProducer(bootstrap_servers=site.sandbox.bootstrap(cluster), linger_ms=5)
    await producer.start()
    numbers = range(first, first + count)
    sent = [
        await producer.send(site.topic, b"%020d" % number, partition=number % PARTITIONS)
        for number in numbers
    ]
    await asyncio.gather(*sent)
    await producer.stop()
    return set(numbers)


def kept(run: Run, step: StepName) -> dict[str, object]:
    """Return what a step has kept."""
    return next(each.kept for each in run.steps if each.name is step)


async def done(hands: Hands, flow: str) -> Run:
    """Wait until a flow's newest run is done."""
    run = await hands.ended(flow)
    assert run.state is RunState.DONE, told(run)
    return run


async def test_every_record_is_accounted_for_in_each_mode(own: Sandbox, tmp_path: Path) -> None:
    """Failover, failback with each mode, then a planned switch home."""
    sites = {mode: Site(own, tmp_path, f"to-{mode}", f"topic-{mode}") for mode in Mode}
    first, *others = sites.values()
    first.beside = others
    arrived, diverged, new = {}, {}, {}
    for site in sites.values():
        await create(own, site.topic, PARTITIONS)
        arrived[site.topic] = await put(site, "east", 0, ARRIVED)
    async with first.engine() as hands:
        for site in sites.values():
            flow = hands.engine.flow(site.flow)
            await until(lambda flow=flow: flow.board.records_total == ARRIVED, "it is mirrored")
            await hands.api.flows.pause(site.flow)
            diverged[site.topic] = await put(site, "east", ARRIVED, DIVERGED)
        await own.kill_broker("east", 1)
        for site in sites.values():
            await hands.start(RunKind.FAILOVER, site.flow)
        for site in sites.values():
            await done(hands, site.flow)
            new[site.topic] = await put(site, "west", ARRIVED + DIVERGED, OWN)
        await own.start_broker("east", 1)
        for mode, site in sites.items():
            await fail_back(hands, site, mode)
            await home(hands, site)
        for mode, site in sites.items():
            everything = arrived[site.topic] | diverged[site.topic] | new[site.topic]
            on_west = everything - (set() if mode is Mode.REINJECT else diverged[site.topic])
            assert await values(site, "east") == everything, mode
            assert await values(site, "west") == on_west, mode


async def fail_back(hands: Hands, site: Site, mode: Mode) -> None:
    """Fail back, and look at what was copied and what was exported."""
    await hands.start(RunKind.FAILBACK, site.flow, RunOptions(mode=mode.value))
    run = await done(hands, site.flow)
    planned = kept(run, StepName.WAY_BACK)
    assert planned["records"] == OWN  # the delta, and what was re-injected is no part of it
    back = hands.engine.flow(f"{site.flow}-back")
    await until(lambda: back.board.records_total > 0, "it is counted")  # once a second
    assert back.board.records_total == OWN
    assert back.board.bytes_total == planned["bytes"]
    if mode is Mode.DISCARD:
        return
    exported = kept(run, StepName.EXPORT)
    text = await asyncio.to_thread(Path(str(exported["place"])).read_text)
    lines = text.splitlines()
    written = [int(base64.b64decode(json.loads(line)["value"])) for line in lines]
    assert sorted(written) == list(range(ARRIVED, ARRIVED + DIVERGED))


async def home(hands: Hands, site: Site) -> None:
    """Switch back, planned."""
    await hands.start(RunKind.PROMOTE, f"{site.flow}-back")
    await done(hands, f"{site.flow}-back")
    flow = hands.engine.flow(site.flow)
    await until(lambda: flow.state()[0] is FlowState.PAUSED, "it is as it was: paused")
    await hands.api.flows.resume(site.flow)
    await until(lambda: flow.state()[0] is FlowState.RUNNING, "it mirrors as before")
    await until(lambda: flow.board.lag_records == 0, "and has all")
