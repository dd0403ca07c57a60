"""A cluster added with a keyring credential, a flow started, a regex edited: in a real terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.api.snapshots import FlowSnapshot, FlowState
from engine.sandbox import Listener
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths
from tests.kafka.test_headless import CCR
from tests.secret_service import MISSING, SecretService, secret_service
from tests.secured import USERS, Secured
from tests.tui.tmux import Tmux

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
RECORDS = 500
PASSED = (
    *("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"),
    *("CCR_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    with secret_service(tmp_path) as made:
        made.start_bus()
        made.start_keyring()
        monkeypatch.setenv("CCR_RUNTIME_DIR", made.environment["CCR_RUNTIME_DIR"])
        yield made


async def fill(secured: Secured, topics: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=secured.bootstrap("east"))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=secured.bootstrap("east")) as producer:
        for topic in topics:
            for number in range(RECORDS):
                await producer.send(topic, b"value %d" % number)


class Seen:
    """The terminal, waited for off the loop."""

    def __init__(self, terminal: Tmux) -> None:
        self.terminal = terminal

    async def shown(self, text: str) -> str:
        return await asyncio.to_thread(self.terminal.wait_for, text)

    async def matched(self, pattern: str) -> str:
        found = re.compile(pattern)
        failure = f"{pattern!r} never came"
        return await asyncio.to_thread(self.terminal.wait_until, found.search, failure)


async def reached(config: Path, test: Callable[[FlowSnapshot], bool]) -> None:
    api = RemoteEngineApi(service_paths(config).socket)
    try:
        async with asyncio.timeout(60):
            while True:
                flows = (await api.snapshot()).flows
                if flows and test(flows[0]):
                    return
                await asyncio.sleep(0.1)
    finally:
        await api.close()


async def add_the_cluster(seen: Seen, secured: Secured) -> None:
    terminal = seen.terminal
    terminal.send_keys("5")
    await seen.matched(r"east\s+.*reached")
    terminal.send_keys("a")
    await seen.shown("bootstrap servers *")
    terminal.type("west")
    terminal.send_keys("Tab")
    terminal.type(secured.bootstrap("west", Listener.SASL)[0])
    terminal.send_keys("Tab", "Tab", "Right", "Right", "Tab", "S", "Tab")
    terminal.type("ccr")
    terminal.send_keys("Tab")
    terminal.type(USERS["ccr"])
    screen = await seen.matched(r"is kept in\s+keyring:ccr-west/ccr")
    assert "[SCRAM-SHA-256]" in screen
    assert USERS["ccr"] not in screen
    terminal.send_keys("F4")
    await seen.shown("The connection works.")
    terminal.send_keys("Escape")
    await asyncio.to_thread(terminal.wait_gone, "Connection to west")
    terminal.send_keys("F2")
    await seen.shown("Save cluster west?")
    await seen.shown("goes to keyring:ccr-west/ccr")
    terminal.send_keys("Tab", "Enter")
    await seen.matched(r"west\s+.*reached")
    terminal.send_keys("1")
    await seen.shown("No flows in")


async def test_a_sasl_cluster_a_flow_and_another_regex(
    secured: Secured,
    keyring: SecretService,
    fresh_topic: Callable[[str], str],
    tmp_path: Path,
) -> None:
    first, second = (fresh_topic(f"forms-{number}") for number in ("a", "b"))
    await fill(secured, [first, second])
    config = tmp_path / "ccr.yaml"
    east = {"bootstrap_servers": secured.bootstrap("east")}
    text = yaml.safe_dump({"version": 1, "clusters": {"east": east}}, sort_keys=False)
    config.write_text(f"# ours\n{text}")
    environment = {name: keyring.environment[name] for name in PASSED}
    terminal = Tmux([CCR, "--config", str(config)], size=(120, 40), environment=environment)
    with terminal:
        seen = Seen(terminal)
        await seen.shown("No flows in")
        await add_the_cluster(seen, secured)
        written = config.read_text()
        assert written.startswith("# ours\n")
        assert "password: keyring:ccr-west/ccr" in written
        assert USERS["ccr"] not in written
        read = "import keyring; print(keyring.get_password('ccr-west', 'ccr'))"
        assert keyring.run(read).strip() == USERS["ccr"]

        terminal.send_keys("a")
        await seen.shown("Choose the source cluster")
        terminal.type("forms")
        terminal.send_keys("Tab", "e", "Tab", "w", "Tab")
        terminal.type(first)
        await seen.matched(rf"{first}\s+taken\s+include 1: forms-a")
        await seen.matched(rf"{first}\s+taken.*create")
        terminal.send_keys("F2")
        await seen.shown("flow forms starts")
        terminal.send_keys("Tab", "Enter")
        await seen.shown("in step")
        await reached(config, lambda flow: flow.records_total == RECORDS and not flow.lag_records)

        terminal.send_keys("Escape")
        await seen.shown("Events")
        terminal.send_keys("e")
        await seen.matched(rf"{second}\s+left out")
        terminal.send_keys("Tab", "Tab")
        terminal.type(f"{second[:-1]}.|")
        await seen.matched(rf"{second}\s+taken\s+\+ starts")
        terminal.send_keys("F2")
        await seen.shown("Save flow forms?")
        terminal.send_keys("Tab", "Enter")
        await seen.matched(r"forms-b-\S+\s+1 = in step\s+0 ")
        await reached(
            config,
            lambda flow: (
                flow.state is FlowState.RUNNING and flow.topics == 2 and flow.lag_records == 0
            ),
        )
        assert f"{second[:-1]}.|{first}" in config.read_text()
