"""The client against two real workers: every endpoint, a rebalance, a worker that is killed."""

from __future__ import annotations

import asyncio
import collections

import httpx
import pytest

from engine.config.connect_section import ConnectConfig
from engine.connect.client import ConnectClient
from engine.connect.models import Offset, State
from engine.connect.proving import has_settled, in_state
from engine.connect.transport import Transport
from engine.errors import ConnectError, KafkaError, RefusedError
from tests.connect.conftest import Site

pytestmark = pytest.mark.kafka


def runs(status: object) -> bool:
    return in_state(status, State.RUNNING)  # type: ignore[arg-type]


async def test_workers_plugins_and_loggers(site: Site) -> None:
    client = site.client
    worker = await client.worker()
    assert worker.version == "4.2.0"
    assert len(worker.kafka_cluster_id) == 22
    assert (await client.health()).status == "healthy"
    connectors = {each.class_name: each.type for each in await client.plugins()}
    assert connectors["org.apache.kafka.connect.mirror.MirrorSourceConnector"] == "source"
    assert connectors["org.apache.kafka.connect.file.FileStreamSinkConnector"] == "sink"
    every = {each.type for each in await client.plugins(connectors_only=False)}
    assert {"transformation", "converter", "header_converter", "predicate"} <= every
    keys = {key.name: key for key in await client.plugin_keys("FileStreamSource")}
    assert keys["topic"].required
    assert keys["batch.size"].default_value == "2000"
    logger = "org.apache.kafka.connect.runtime.Worker"
    first, second = client.urls
    assert logger in await client.set_logger(logger, "DEBUG", everywhere=False, url=second)
    assert (await client.loggers(second))[logger].level == "DEBUG"
    assert (await client.logger(logger, first)).level == "INFO"
    assert (await site.steering.set_logger(logger, "warn", None)).text == (
        f"{logger} is at WARN on {first}, {second}"
    )
    assert (await client.logger(logger, second)).level == "WARN"


async def test_a_connector_from_its_creation_to_its_end(site: Site) -> None:
    client, name = site.client, site.name("lines")
    settings = site.source(name)
    validation = await client.validate("FileStreamSource", {**settings, "tasks.max": "many"})
    wrong = {each.value.name for each in validation.configs if each.value.errors}
    assert wrong == {"name", "tasks.max"}
    made = await client.create(name, settings, "STOPPED")
    assert (made.name, made.config) == (name, {**settings, "name": name})
    await site.until(name, lambda now: in_state(now, State.STOPPED))
    with pytest.raises(RefusedError, match="already exists"):
        await client.create(name, settings)
    with pytest.raises(KafkaError, match=r"tasks\.max"):
        await client.put_settings(name, {**settings, "tasks.max": "many"})

    # it begins where it is told to
    file = settings["file"]
    offset = Offset(partition={"filename": file}, offset={"position": 35})
    await client.set_offsets(name, [offset])
    assert await client.offsets(name) == (offset,)
    await client.resume(name)
    await site.until(name, runs)
    listed = (await client.connectors())[name]
    assert listed.info is not None
    assert listed.status is not None
    assert (listed.info.type, listed.status.connector.state) == ("source", "RUNNING")
    async with asyncio.timeout(30):
        while (await client.offsets(name))[0].offset != {"position": 70}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await client.topics(name) == (f"topic-{name}",)
    await site.steering.reset_topics(name)
    assert await client.topics(name) == ()
    assert (await client.tasks(name))[0].config["file"] == file
    assert (await client.task_status(name, 0)).state == "RUNNING"

    # settings: all, some, one less
    await client.put_settings(name, {**settings, "batch.size": "5"})
    patched = await client.patch_settings(name, {"batch.size": None, "tasks.max": "2"})
    assert patched.config == {**settings, "tasks.max": "2", "name": name}
    assert await client.settings(name) == patched.config == (await client.connector(name)).config

    await client.pause(name)
    await site.until(name, lambda now: in_state(now, State.PAUSED))
    with pytest.raises(KafkaError, match="STOPPED state"):
        await client.reset_offsets(name)
    await client.stop(name)
    await site.until(name, lambda now: in_state(now, State.STOPPED))
    await client.reset_offsets(name)
    assert await client.offsets(name) == ()
    await client.delete(name)
    async with asyncio.timeout(30):
        while name in await client.names():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    with pytest.raises(RefusedError, match="ccr connect list --on east"):
        await client.connector(name)


class Counting(httpx.AsyncHTTPTransport):
    """Real HTTP, with the answers counted by status."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: collections.Counter[int] = collections.Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.answers[response.status_code] += 1
        return response


async def test_a_rebalance_under_way_is_waited_for(site: Site) -> None:
    """Many changes at once: workers answer 409 until each has caught up, and none is lost."""
    counting = Counting()
    section = ConnectConfig(urls=list(site.client.urls))
    client = ConnectClient("east", section, Transport("east", section, counting))
    names = [site.name("many") for _ in range(6)]
    settings = {name: site.source(name, lines=1) for name in names}
    await asyncio.gather(*(client.create(name, settings[name]) for name in names))
    for round_ in range(20):
        await asyncio.gather(
            *(client.patch_settings(name, {"batch.size": f"{round_ + 1}"}) for name in names),
            *(client.restart(name, include_tasks=False, only_failed=False) for name in names[:2]),
        )
        if counting.answers[409]:
            break
    assert counting.answers[409], counting.answers
    wanted = {f"{round_ + 1}"}
    assert {(await client.settings(name))["batch.size"] for name in names} == wanted
    await asyncio.gather(*(site.until(name, has_settled) for name in names))
    await client.close()


async def test_a_worker_that_is_killed(site: Site) -> None:
    """The other one is asked instead, and takes over what the first one ran."""
    client, name = site.client, site.name("survivor")
    first, second = client.urls
    await client.create(name, site.source(name))
    await site.until(name, runs)
    await client.worker()
    await site.sandbox.connect.kill("east", 1)
    try:
        assert name in await client.names()
        with pytest.raises(ConnectError, match="no worker of east answers") as away:
            await client.loggers(first)
        assert first in str(away.value)
        at_second = second.removeprefix("http://")
        after = await site.until(
            name,
            lambda now: runs(now) and {each.worker_id for each in now.instances().values()}
            == {at_second},
        )  # fmt: skip
        assert after.tasks[0].worker_id == at_second
        # the worker that answers is asked first from now on; the other one is not waited for
        result = await site.steering.pause(name)
        assert result.text == f"{name} is PAUSED"
    finally:
        await site.sandbox.connect.start("east", 1)
    assert (await client.worker(first)).version == "4.2.0"
    assert (await client.health(first)).status == "healthy"


async def test_a_worker_that_is_frozen_is_no_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that takes the connection and answers nothing is passed over, too."""
    monkeypatch.setattr("engine.connect.transport.ANSWER_TIMEOUT_S", 1.0)
    await site.sandbox.connect.freeze("east", 1)
    try:
        assert (await site.client.worker()).version == "4.2.0"
        with pytest.raises(ConnectError, match="no answer within 1 s"):
            await site.client.worker(site.client.urls[0])
    finally:
        await site.sandbox.connect.thaw("east", 1)
