"""`ccr promote`, `failover`, `runbook`, `reports` as an operator uses them, with no service."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from engine.kafka.topic_configs import topic_configs
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, producer
from tests.kafka.group_tools import cluster
from tests.kafka.switching import PARTITIONS, Site

pytestmark = pytest.mark.kafka

CCR = str(Path(sys.executable).with_name("ccr"))


@pytest.fixture
async def site(sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path) -> Site:
    """A flow with 40 records, whose clients nobody moves."""
    topic = fresh_topic("cli")
    await create(sandbox, topic, PARTITIONS)
    made = Site(sandbox, tmp_path, f"flow-{topic}", topic)
    async with producer(sandbox) as plain:
        for number in range(40):
            await plain.send_and_wait(topic, b"%020d" % number, partition=number % PARTITIONS)
    return made


async def ccr(site: Site, *words: str) -> tuple[int, str, str]:
    """Run a verb; return its exit code and what it said."""
    process = await started(site, *words)
    out, err = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode or 0, out.decode(), err.decode()


async def started(site: Site, *words: str) -> asyncio.subprocess.Process:
    """Start one."""
    return await asyncio.create_subprocess_exec(
        CCR, *words, "--config", str(site.config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CCR_RUNTIME_DIR": str(site.folder / "run")},
    )  # fmt: skip


async def test_from_the_plan_to_the_report(site: Site) -> None:
    """Nothing happens without the name; then each step is a line, and the report has it all."""
    code, out, _ = await ccr(site, "promote", site.flow, "--dry-run")
    assert code == 0
    assert "max.message.bytes=78 on every topic" in out
    assert "behind this line there is no way back" in out
    code, _, err = await ccr(site, "promote", site.flow)
    assert code == 1
    assert f"it was not confirmed. Add --confirm {site.flow}" in err
    code, out, err = await ccr(site, "promote", site.flow, "--confirm", site.flow, "--json")
    assert code == 0, err
    *steps, end = [json.loads(line) for line in out.splitlines()]
    done = [each["step"] for each in steps if each["state"] == "done"]
    assert done == [
        "fence", "stand", "drain", "verify", "pass-over", "groups", "stop", "promote", "grant",
        "cut-over", "lift", "reverse",
    ]  # fmt: skip
    assert (end["state"], end["crossed"]) == ("done", True)
    code, out, _ = await ccr(site, "reports", "--json")
    assert code == 0
    assert [each["id"] for each in json.loads(out)] == [end["run"]]
    code, out, _ = await ccr(site, "reports", end["run"])
    assert out.startswith(f"# Planned promotion of {site.flow}: east to west")
    assert "40 records compared by content, all equal" in out
    code, out, _ = await ccr(site, "failover", site.flow, "--dry-run")
    assert code == 1
    assert f"STOPS its mirrors were promoted already, by run {end['run']}" in " ".join(out.split())
    code, out, _ = await ccr(site, "status", "--json")
    [flow] = [each for each in json.loads(out)["flows"] if each["name"] == site.flow]
    assert flow["state"] == "promoted"


async def test_ctrl_c_undoes_it(site: Site) -> None:
    """While it waits for a transaction: the fence comes down before the command ends."""
    writer = AIOKafkaProducer(
        bootstrap_servers=site.sandbox.bootstrap("east"), transactional_id=site.topic
    )
    await writer.start()
    await writer.begin_transaction()
    await writer.send_and_wait(site.topic, b"0" * 20, partition=0)
    process = await started(site, "promote", site.flow, "--confirm", site.flow)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"transaction open" not in await process.stdout.readline():
            pass
    assert await fenced(site)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130, err
    assert b"everything is undone first" in err
    assert b"Undone after" in out
    assert not await fenced(site)
    await writer.commit_transaction()
    await writer.stop()


async def fenced(site: Site) -> bool:
    """Whether the topic takes nothing."""
    async with cluster(site.sandbox, "east") as east:
        configs = await topic_configs(east, [site.topic], ["max.message.bytes"])
    return "max.message.bytes" in configs[site.topic].own_values
