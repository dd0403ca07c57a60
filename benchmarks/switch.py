"""How long a planned promotion and a failover take, step by step, with many topics.

`python -m benchmarks.switch [--topics N] [--partitions N] [--groups N]` sets up two brokers,
mirrors the topics, promotes one half of them as planned, kills the source and fails the other half
over. The service is a process of its own, as `ccr --no-ui` is.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.api.runbook_snapshots import Run, RunKind, RunOptions, RunState, StepName
from engine.sandbox import ClusterSpec, Sandbox
from engine.service.client import EngineGoneError, RemoteEngineApi
from engine.service.paths import service_paths

KINDS = {RunKind.PROMOTE: "planned", RunKind.FAILOVER: "gone"}
IN_STEP_S = 120.0
LOOK_S = 0.2


async def main(topics: int, partitions: int, groups: int) -> None:
    """Set up, run both, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
        sandbox = Sandbox(folder / "sandbox", clusters, ephemeral=True)
        await sandbox.up()
        try:
            await _fill(sandbox, topics, partitions, groups)
            await _measure(sandbox, folder, topics, partitions, groups)
        finally:
            await sandbox.down()


async def _fill(sandbox: Sandbox, topics: int, partitions: int, groups: int) -> None:
    servers = sandbox.bootstrap("east")
    names = [f"{prefix}-{number}" for prefix in KINDS.values() for number in range(topics)]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(each, partitions, 1) for each in names], timeout_ms=60_000)
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=20)
    await producer.start()
    for number in range(10):
        rows = [
            await producer.send(each, b"%040d" % number, partition=partition)
            for each in names
            for partition in range(partitions)
        ]
        await asyncio.gather(*rows)
    await producer.stop()
    for prefix in KINDS.values():
        for number in range(groups):
            await _commit(
                servers, f"{prefix}-group-{number}", f"{prefix}-{number % topics}", partitions
            )


async def _commit(servers: str, group: str, topic: str, partitions: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
    await consumer.commit({TopicPartition(topic, number): 5 for number in range(partitions)})
    await consumer.stop()


async def _measure(
    sandbox: Sandbox, folder: Path, topics: int, partitions: int, groups: int
) -> None:
    path = folder / "ccr.yaml"
    path.write_text(yaml.safe_dump(_config(sandbox)))
    service = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("ccr")), "--no-ui", "--config", str(path)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    api = RemoteEngineApi(service_paths(path).socket)
    try:
        for kind, prefix in KINDS.items():
            await _in_step(api, prefix, topics * partitions, groups)
            if kind is RunKind.FAILOVER:
                await sandbox.kill_broker("east", 1)
                await _missed(api, prefix)
            run = await _carry_out(api, prefix, kind)
            _tell(run, topics, partitions, groups)
    finally:
        await api.close()
        service.terminate()
        await service.wait()


def _config(sandbox: Sandbox) -> dict[str, object]:
    flows = {
        prefix: {
            "source": "east",
            "target": "west",
            "topics": {"include": [f"{prefix}-.*"]},
            "groups": {"include": [f"{prefix}-.*"]},
        }
        for prefix in KINDS.values()
    }
    clusters = {
        name: {"bootstrap_servers": sandbox.bootstrap(name).split(",")} for name in ("east", "west")
    }
    return {"version": 1, "clusters": clusters, "flows": flows}


async def _in_step(api: RemoteEngineApi, flow: str, partitions: int, groups: int) -> None:
    async with asyncio.timeout(IN_STEP_S):
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                snapshot = await api.snapshot()
            except EngineGoneError:
                continue  # it starts
            found = next(each for each in snapshot.flows if each.name == flow)
            if found.partitions == partitions and found.lag_records == 0:
                page = await api.flows.groups(flow)
                if len(page.groups) == groups and all(each.again == 0 for each in page.groups):
                    return


async def _missed(api: RemoteEngineApi, flow: str) -> None:
    async with asyncio.timeout(IN_STEP_S):
        while True:
            snapshot = await api.snapshot()
            found = next(each for each in snapshot.flows if each.name == flow)
            if found.state == "waiting":
                return
            await asyncio.sleep(LOOK_S)


async def _carry_out(api: RemoteEngineApi, flow: str, kind: RunKind) -> Run:
    began = time.monotonic()
    plan = await api.runbooks.plan(flow, kind, RunOptions())
    print(f"{kind}: plan after {time.monotonic() - began:.1f} s")
    await api.runbooks.start(flow, kind, RunOptions(), plan.digest)
    while True:
        run = (await api.runbooks.runs(flow)).runs[0]
        if run.state.ended or run.state is RunState.FAILED:
            return run
        await asyncio.sleep(LOOK_S)


def _tell(run: Run, topics: int, partitions: int, groups: int) -> None:
    print(
        f"{run.kind}, {topics} topics, {topics * partitions} partitions, {groups} groups: "
        f"{run.state} after {run.ended - run.began:.1f} s"
    )
    for step in run.steps:
        print(f"  {step.ended - step.began:6.2f} s  {step.name}  {_last(step.evidence)}")
    fence = next((each for each in run.steps if each.name is StepName.FENCE), None)
    if fence is not None:
        print(f"  {run.ended - fence.ended:6.2f} s  after the fence stood")


def _last(evidence: Iterable[str]) -> str:
    return next(iter(evidence), "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=10, help="of each topic")
    parser.add_argument("--groups", type=int, default=100)
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are just starting
    asyncio.run(main(args.topics, args.partitions, args.groups))
