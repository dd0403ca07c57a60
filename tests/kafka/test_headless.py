"""`ccr --no-ui` and the verbs that look at it and steer it, on real clusters."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.api.snapshots import FlowSnapshot, FlowState
from engine.sandbox import Sandbox
from engine.service.attach import attach_or_spawn
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths

pytestmark = pytest.mark.kafka

PARTITIONS = 2
RECORDS = 100
CCR = str(Path(sys.executable).with_name("ccr"))
CONSOLE = """
import asyncio, sys
from engine.service.attach import attach_or_spawn
async def main():
    async with attach_or_spawn(sys.argv[1]) as attached:
        print((await attached.api.snapshot()).pid, flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


@dataclass(frozen=True)
class Site:
    """One flow over one topic of its own."""

    sandbox: Sandbox
    flow: str
    topic: str
    config: Path

    def another_config(self) -> Site:
        """Give the same flow a second file, so that a second engine may run on this host."""
        path = self.config.with_name(f"second-{self.config.name}")
        path.write_text(self.config.read_text())
        return Site(self.sandbox, self.flow, self.topic, path)

    async def produce(self, records: int = RECORDS) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.sandbox.bootstrap("east"))
        async with producer:
            for number in range(records):
                partition = number % PARTITIONS
                await producer.send(self.topic, b"value %d" % number, partition=partition)

    async def ccr(self, *arguments: str) -> tuple[int, str, str]:
        """Run a verb to its end; returns its exit code, stdout and stderr."""
        verb, *rest = arguments
        process = await asyncio.create_subprocess_exec(
            *(CCR, verb, "--config", str(self.config), *rest),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def status(self) -> tuple[int, dict[str, Any]]:
        """Return `ccr status --json` of the flow, with its exit code."""
        code, out, err = await self.ccr("status", "--json")
        assert out, err
        status = json.loads(out)
        return code, {"mode": status["mode"], **status["flows"][0]}

    async def reached(self, test: Callable[[FlowSnapshot], bool], what: str) -> FlowSnapshot:
        """Wait until the engine of this configuration says so of the flow."""
        api = RemoteEngineApi(service_paths(self.config).socket)
        try:
            async with asyncio.timeout(60):
                while not test(flow := (await api.snapshot()).flows[0]):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within 60 s: {what}; the flow is {flow}") from None
        finally:
            await api.close()
        return flow

    async def mirrored(self, records: int = RECORDS) -> FlowSnapshot:
        """Wait until the flow has mirrored that many records since its engine started."""
        return await self.reached(
            lambda flow: flow.records_total >= records and flow.lag_records == 0,
            f"{records} records mirrored",
        )


@pytest.fixture
async def site(
    sandbox: Sandbox,
    fresh_topic: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    return await make_site(sandbox, fresh_topic("headless"), tmp_path, monkeypatch)


async def make_site(
    sandbox: Sandbox, topic: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap("east"))
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await admin.close()
    flow = f"flow-{topic}"
    config = {
        "version": 1,
        "clusters": {
            name: {"bootstrap_servers": sandbox.bootstrap(name).split(",")}
            for name in ("east", "west")
        },
        "flows": {
            flow: {
                "source": "east",
                "target": "west",
                "topics": {"include": [re.escape(topic)]},
                "topic_refresh": "1s",
            }
        },
    }
    path = folder / "ccr.yaml"
    path.write_text(yaml.safe_dump(config))
    return Site(sandbox, flow, topic, path)


@asynccontextmanager
async def service(site: Site, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `ccr --no-ui` until it has said that it started."""
    process = await asyncio.create_subprocess_exec(
        *(CCR, "--no-ui", "--config", str(site.config), "--log-format", "json", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert json.loads(await process.stdout.readline())["event"] == "service.started"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finish(process: asyncio.subprocess.Process) -> tuple[int, list[dict[str, Any]]]:
    """Wait for a service's end; returns its exit code and what it told since it started."""
    async with asyncio.timeout(60):
        told, _ = await process.communicate()
    return process.returncode or 0, [json.loads(line) for line in told.splitlines()]


async def told(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """Read what the service tells until an event of this name."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while True:
            line: dict[str, Any] = json.loads(await process.stdout.readline())
            if line["event"] == event:
                return line


async def test_status_and_lag_need_no_engine(site: Site) -> None:
    await site.produce()
    code, flow = await site.status()
    assert code == 1
    assert (flow["mode"], flow["state"]) == ("one-shot", "stopped")
    assert flow["reason"]["text"] == "it has never run"
    async with service(site) as engine:
        await site.mirrored()
        engine.terminate()
        assert (await finish(engine))[0] == 0
    await site.produce(10)
    code, out, _ = await site.ccr("lag", site.flow, "--json")
    assert code == 1
    (flow,) = json.loads(out)["flows"]
    assert flow["state"] == "stopped"
    assert flow["reason"]["text"].startswith("stopped on ")
    assert flow["lag_records"] == 10
    ends = {
        row["partition"]: (row["source_end"], row["mirrored_to"], row["lag_records"])
        for row in flow["partitions_listed"]
    }
    assert ends == {0: (55, 50, 5), 1: (55, 50, 5)}


async def test_status_and_lag_of_a_running_service(site: Site) -> None:
    await site.produce()
    async with service(site) as engine:
        await site.mirrored()
        code, flow = await site.status()
        assert code == 0
        assert (flow["mode"], flow["state"], flow["lag_records"]) == ("service", "running", 0)
        assert (flow["owned_here"], flow["owner"]["pid"]) == (True, engine.pid)
        code, out, err = await site.ccr("lag", "--sort", "topic", "--topic", f"{site.topic[:5]}.*")
        assert (code, err) == (0, "")
        rows = [line.split() for line in out.splitlines() if " running " in line]
        assert [row[-7:] for row in rows] == [
            [str(number), "running", "50", "50", "0", "0.0", "s"] for number in range(PARTITIONS)
        ]
        assert max(len(line) for line in out.splitlines()) <= 80
        code, out, _ = await site.ccr("lag", "--topic", "nothing.*")
        assert "no topic matches" in out
        code, _, err = await site.ccr("lag", "no-such-flow")
        assert code == 1
        assert site.flow in err


async def test_pause_survives_a_restart_and_resume_goes_on(site: Site) -> None:
    async with service(site) as engine:
        await site.reached(lambda flow: flow.state is FlowState.RUNNING, "running")
        code, out, _ = await site.ccr("pause", site.flow)
        assert (code, out) == (0, f"{site.flow} is paused\n")
        code, out, _ = await site.ccr("pause", site.flow, "--json")
        assert json.loads(out) == {"changed": False, "text": "already_paused"}
        engine.terminate()
        assert (await finish(engine))[0] == 0
    await site.produce()
    async with service(site):
        paused = await site.reached(
            lambda flow: flow.state is FlowState.PAUSED and flow.lag_records == RECORDS,
            "paused with lag",
        )
        assert paused.records_total == 0
        assert (await site.status())[0] == 0
        assert (await site.ccr("resume", site.flow))[0] == 0
        await site.mirrored()


async def test_limit_and_retry_reach_the_engine(site: Site) -> None:
    async with service(site):
        await site.reached(lambda flow: flow.state is FlowState.RUNNING, "running")
        assert (await site.ccr("limit", site.flow, "5MiB"))[0] == 0
        limited = await site.reached(lambda _: True, "")
        assert limited.limit_bytes_per_second == 5 * 2**20
        assert (await site.ccr("limit", site.flow, "none"))[0] == 0
        lifted = await site.reached(lambda _: True, "")
        assert lifted.limit_bytes_per_second is None
        code, out, _ = await site.ccr("retry", site.flow, "--topic", site.topic, "--json")
        assert (code, json.loads(out)["changed"]) == (0, False)
        code, _, err = await site.ccr("pause", "no-such-flow")
        assert code == 1
        assert f"it is not one of this config's flows ({site.flow})" in err


async def test_steering_without_an_engine_says_what_to_do(site: Site) -> None:
    code, out, err = await site.ccr("pause", site.flow)
    assert (code, out) == (3, "")
    assert f"no engine runs {site.config} on this host" in err
    assert f"ccr --no-ui --config {site.config}" in err


async def test_a_service_that_hangs_is_told_and_the_clusters_are_read(site: Site) -> None:
    await site.produce()
    async with service(site) as engine:
        await site.mirrored()
        engine.send_signal(signal.SIGSTOP)
        code, out, err = await site.ccr("status", "--json")
        assert "it did not answer in time" in err
        status = json.loads(out)
        assert (code, status["mode"]) == (1, "one-shot")
        assert "has been silent for" in status["flows"][0]["reason"]["text"]


async def test_take_over_makes_the_owner_stand_down(site: Site) -> None:
    second = site.another_config()
    async with service(site), attach_or_spawn(second.config) as console:
        await site.reached(lambda flow: flow.owned_here, "the service owns the flow")
        assert console.mode == "embedded"
        observer = await second.reached(lambda flow: flow.state is FlowState.STANDBY, "observing")
        assert observer.owner is not None
        assert not observer.owned_here
        assert (await second.ccr("take-over", site.flow))[0] == 1
        assert (await second.ccr("take-over", site.flow, "--confirm", site.flow))[0] == 0
        await second.reached(lambda flow: flow.owned_here, "taken over")
        stood_down = await site.reached(lambda f: f.state is FlowState.STANDBY, "stood down")
        assert stood_down.reason is not None
        assert "took it over" in stood_down.reason.text


async def test_take_over_at_the_start(site: Site) -> None:
    second = site.another_config()
    async with service(site):
        await site.reached(lambda flow: flow.owned_here, "the first owns the flow")
        async with service(second, "--take-over"):
            await second.reached(lambda flow: flow.owned_here, "the second owns the flow")
            await site.reached(lambda f: f.state is FlowState.STANDBY, "the first stood down")


async def test_a_console_that_is_killed_leaves_a_drained_flow(site: Site) -> None:
    await site.produce()
    console = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CONSOLE, str(site.config)), stdout=asyncio.subprocess.PIPE
    )
    assert console.stdout is not None
    async with asyncio.timeout(60):
        engine = int(await console.stdout.readline())
    await site.mirrored()
    console.kill()
    await console.wait()
    await until_gone(engine)
    code, flow = await site.status()
    assert (code, flow["state"], flow["lag_records"]) == (1, "stopped", 0)
    assert flow["reason"]["text"].startswith("stopped on ")
    log = await asyncio.to_thread(service_paths(site.config).embedded_log.read_text)
    assert "the console has gone: draining" in log


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(60):
        while await asyncio.to_thread(os.path.exists, f"/proc/{pid}"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture
async def frozen(
    fresh_topic: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Site, Callable[[], Awaitable[None]]]]:
    """A site of its own, and an act that freezes its target with records on the way to it."""
    async with Sandbox(tmp_path / "sandbox", ephemeral=True) as sandbox:
        site = await make_site(sandbox, fresh_topic("frozen"), tmp_path, monkeypatch)

        async def freeze() -> None:
            await site.produce()
            await site.mirrored()
            await sandbox.pause_broker("west", 1)
            await site.produce()

        yield site, freeze
        await sandbox.continue_broker("west", 1)


async def test_a_drain_that_takes_too_long_is_given_up_and_told(
    frozen: tuple[Site, Callable[[], Awaitable[None]]],
) -> None:
    site, freeze = frozen
    async with service(site, "--drain-timeout", "1") as engine:
        await freeze()
        await site.reached(lambda flow: bool(flow.lag_records), "something is on the way")
        engine.send_signal(signal.SIGINT)
        code, lines = await finish(engine)
        assert code == 1
        last = lines[-1]
        assert (last["event"], last["drained"]) == ("service.stopped", False)
        assert "the next start goes on from there" in last["text"]


async def test_the_second_signal_ends_at_once(
    frozen: tuple[Site, Callable[[], Awaitable[None]]],
) -> None:
    site, freeze = frozen
    async with service(site, "--drain-timeout", "600") as engine:
        await freeze()
        await site.reached(lambda flow: bool(flow.lag_records), "something is on the way")
        engine.send_signal(signal.SIGTERM)
        await told(engine, "service.draining")
        await site.reached(lambda flow: flow.state is FlowState.DRAINING, "draining is shown")
        engine.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            code, lines = await finish(engine)
        assert code == 130
        assert lines[-1]["event"] == "service.ending_now"
        assert not await asyncio.to_thread(service_paths(site.config).socket.exists)
        await site.sandbox.continue_broker("west", 1)
    async with service(site) as engine:
        await site.reached(lambda flow: flow.lag_records == 0, "the next start goes on")
        engine.terminate()
        assert (await finish(engine))[0] == 0
    _, flow = await site.status()
    assert flow["lag_records"] == 0
