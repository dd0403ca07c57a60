"""A whole session; then all that it wrote, showed, sent or printed is searched for secrets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ccr_tui.app import CcrApp
from ccr_tui.state import ConsoleMode
from engine.api.snapshots import FlowState
from engine.replication.state_records import state_topic
from engine.sandbox import Listener
from engine.service.paths import service_paths
from tests.faults.rig import EngineProcess
from tests.kafka.engines import FreshTopic, create, producer, read
from tests.leaks import Login, files_below, leaks
from tests.secured import STORE_PASSWORD, USERS, Secured
from tests.tui.driving import screen_text, until, until_shown

pytestmark = pytest.mark.kafka

FLOW = "leaks"
WRONG = "not-the-password"
LOGINS = [Login("ccr", USERS["ccr"]), Login("ccr", WRONG), Login("ccr", STORE_PASSWORD)]
Artefacts = dict[str, bytes]

# `ccr status` and `ccr lag` with all debug logging, where connecting fails in a way nobody foresaw
# and whoever words that has everything at hand.
CRASH = """
import logging, sys
log, config, told = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG, filename=log, format="%(message)s")
from ccr_tui.cli.main import main
from engine.api.local import LocalEngineApi
from engine.kafka.dialing import Dialer
dial, snapshot = Dialer.dial, LocalEngineApi.snapshot

def everything(of):
    return f"provoked {of!r} {of} {vars(of) if hasattr(of, '__dict__') else ''}"

async def failing_dial(self, host, port):
    connection = await dial(self, host, port)
    extra = self.password.get_secret_value() if told == "tell" and self.password else ""
    raise RuntimeError(everything(self) + everything(self.config) + everything(self.config.sasl)
                       + repr(connection) + self.config.model_dump_json() + extra)

async def failing_snapshot(self):
    engine = self._engine
    raise RuntimeError(everything(engine.config) + everything(engine) + repr(await snapshot(self)))

Dialer.dial = failing_dial
codes = [main(["--config", config, "status", "--json"])]
LocalEngineApi.snapshot = failing_snapshot
codes.append(main(["--config", config, "lag"]))
print([int(code) for code in codes])
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where everything lands that is written, with no keyring."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    return folder


def configure(path: Path, secured: Secured, topic: str, east_password: str) -> Path:
    login = {"mechanism": "PLAIN", "username": "ccr", "password": east_password}
    tls = {
        "ca": secured.ca,
        "keystore": secured.pkcs12(secured.client_certificate("ccr-leaks")),
        "keystore_password": secured.secret(STORE_PASSWORD),
    }
    scram = secured.login("ccr", "SCRAM-SHA-512")
    clusters: dict[str, Any] = {
        "east": secured.section("east", Listener.SASL, sasl=login),
        "west": secured.section("west", Listener.SASL_TLS, sasl=scram, tls=tls),
    }
    flow = {"source": "east", "target": "west", "topics": {"include": [topic]}}
    path.write_text(yaml.safe_dump({"version": 1, "clusters": clusters, "flows": {FLOW: flow}}))
    return path


async def test_no_secret_is_anywhere_after_a_whole_session(
    secured: Secured, fresh_topic: FreshTopic, home: Path
) -> None:
    topic, found = fresh_topic("leaks"), Artefacts()
    await create(secured.sandbox, topic)
    async with producer(secured.sandbox) as made:
        for number in range(50):
            await made.send_and_wait(topic, str(number).encode())
    config = configure(home / "ccr.yaml", secured, topic, "keyring:kafka/east")
    engine = EngineProcess(config, FLOW, home / "service.log")
    engine.start()
    try:
        await engine.reaches(FlowState.WAITING, reason="no keyring here")
        await through_the_console(engine, found)
        verbs = [
            run(found, "--config", str(config), *verb.split())
            for verb in ("status --json", "lag", "validate --json", "secrets list", "check")
        ]
        await asyncio.gather(*verbs, ask_the_socket(config, found))
        found |= of_process(engine)
        assert await engine.terminate() == 0
    finally:
        await engine.close()
    records = await read(secured.sandbox, "west", state_topic(FLOW))
    assert records
    found["state topic"] = b"\n".join(
        part for record in records for part in (record.key, record.value) if part
    )
    await crash(secured, home, topic, found)
    found |= files_below(home)
    assert b"sasl.password was given by an operator" in found["service.log"]
    assert b"the login ccr (PLAIN) was refused" in found["service.log"]
    assert b"provoked" in found["crash.out"]
    assert leaks(found, LOGINS) == []


async def test_the_search_sees_a_secret_that_a_crash_tells(
    secured: Secured, fresh_topic: FreshTopic, home: Path
) -> None:
    found = Artefacts()
    await crash(secured, home, fresh_topic("leaks"), found, "tell")
    told = {leak.partition(":")[0] for leak in leaks(found | files_below(home), LOGINS)}
    assert "crash.out" in told
    assert "debug.log" in told


def of_process(engine: EngineProcess) -> Artefacts:
    """Read what any process of the user can see of the service."""
    process = engine._process
    assert process is not None
    folder = Path(f"/proc/{process.pid}")
    return {name: (folder / name).read_bytes() for name in ("cmdline", "environ")}


async def through_the_console(engine: EngineProcess, found: Artefacts) -> None:
    """Give a wrong password, see it refused, give the right one; look at all that is shown."""
    app = CcrApp(engine.api, mode=ConsoleMode.ATTACHED, config_name="ccr.yaml")

    def look(name: str) -> None:
        found[f"{name}.svg"] = app.export_screenshot().encode()
        found[f"{name}.txt"] = screen_text(app).encode()
        found[f"{name}.widgets"] = "".join(
            f"{widget!r} {widget.render()!r}" for widget in app.screen.query("Input, Static")
        ).encode()

    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until_shown(app, "The secret, hidden")
        await pilot.press(*WRONG)
        await until_shown(app, "•" * len(WRONG))
        look("asked")
        await pilot.press("enter")
        await until_shown(app, "the login ccr (PLAIN) was refused")
        look("refused")
        await pilot.press("K")
        await until_shown(app, "The secret, hidden")
        await pilot.press(*USERS["ccr"], "enter")
        await until(lambda: (flow := app.state.flow(FLOW)) and flow.state is FlowState.RUNNING)
        await until(lambda: (flow := app.state.flow(FLOW)) and flow.records_total == 50)
        look("running")
        await pilot.press("5", "T")
        await until_shown(app, "The connection works.")
        look("tested")
        await pilot.press("escape", "enter")
        await until_shown(app, "[brokers 1]")
        look("cluster")
        found["state"] = repr(app.state).encode()


async def run(found: Artefacts, *arguments: str) -> None:
    """Run `ccr`; keep what it prints."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("ccr")), *arguments,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert output
    found[" ".join(arguments[2:])] = output


async def ask_the_socket(config: Path, found: Artefacts) -> None:
    """Ask for everything, and give secrets in ways that are refused."""
    transport = httpx.AsyncHTTPTransport(uds=str(service_paths(config).socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://ccr") as http:
        tried = {
            "section": {"bootstrap_servers": ["no-such-host.invalid:9092"], "sasl": [WRONG]},
            "secrets": {"keyring:kafka/east": WRONG},
        }
        for body in ({}, tried, {"section": WRONG}, {"secrets": WRONG}):
            answer = await http.post("/v1/clusters/east/test", json=body)
            found[f"POST test {len(str(body))}"] = answer.content
        paths = ("snapshot", "events", "log", "clusters", "clusters/east/detail", "tests/1")
        for path in (*paths, f"flows/{FLOW}/partitions"):
            found[f"GET {path}"] = (await http.get(f"/v1/{path}")).content
        assert b"given" in found["GET snapshot"]
        assert b"sasl.password was given by an operator" in found["GET log"]
        for number, body in enumerate(
            (
                {"key": "sasl.nothing", "value": WRONG},
                {"key": "sasl.password", "value": [WRONG]},
                {"key": "sasl.password", "secret": WRONG},
            )
        ):
            answer = await http.post("/v1/clusters/east/secret", json=body)
            assert answer.status_code in (400, 409)
            found[f"POST {number}"] = answer.content


async def crash(
    secured: Secured, home: Path, topic: str, found: Artefacts, told: str = "hide"
) -> None:
    """Crash with debug logging on."""
    config = configure(home / "crash.yaml", secured, topic, secured.secret(USERS["ccr"]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASH, str(home / "debug.log"), str(config), told,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ),
    )  # fmt: skip
    output, _ = await process.communicate()
    found["crash.out"] = output
    assert output.endswith(b"[3, 1]\n"), output.decode()
    assert (home / "debug.log").stat().st_size > 0
