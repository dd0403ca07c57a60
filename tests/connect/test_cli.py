"""`ccr connect` as an operator uses it: with no engine, and by the engine that runs here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.connect.models import State
from engine.connect.proving import in_state
from engine.service.paths import service_paths
from tests.connect.conftest import CCR, WAIT_S, Site

pytestmark = pytest.mark.kafka
SECRET = "hunter2-of-the-cli"


def properties(name: str, settings: dict[str, str | None]) -> str:
    return "".join(f"{key}={value}\n" for key, value in {"name": name, **settings}.items())


async def test_from_a_file_to_its_end(site: Site) -> None:
    """Properties in, what would change, what did, several at once, and away again."""
    name = site.name("cli")
    file = site.folder / "connector.properties"
    settings = site.source(name)
    module = f'org.example.LoginModule required username="ccr" password="{SECRET}";'
    file.write_text(properties(name, {**settings, "producer.override.sasl.jaas.config": module}))

    code, out, err = await site.ccr("apply", "-f", str(file), "--dry-run")
    assert (code, err) == (0, "")
    assert f"{name} is new on east\n" in out
    assert 'password="********"' in out
    assert name not in await site.client.names()
    code, out, _ = await site.ccr("diff", "-f", str(file))
    assert code == 1

    # the login is one that the brokers do not ask for: the producer never loads it
    code, out, err = await site.ccr(
        "create", "-f", "-", "--state", "STOPPED", stdin=file.read_text()
    )
    assert (code, out, err) == (0, f"{name} is created; the connector is STOPPED, no tasks\n", "")
    code, _, err = await site.ccr("create", "-f", str(file))
    assert code == 1
    assert "east has one of that name. Change it with: ccr connect apply" in err
    code, out, _ = await site.ccr("diff", "-f", str(file))
    assert (code, out) == (0, f"{name} on east: nothing changes\n")

    # what is shown hidden can be written back: it stays as it is
    code, out, _ = await site.ccr("describe", name, "--json")
    shown = json.loads(out)["connector"]["config"]
    assert SECRET not in out
    changed = site.folder / "changed.json"
    changed.write_text(json.dumps({**shown, "batch.size": 7}))
    code, out, _ = await site.ccr("diff", "-f", str(changed))
    assert (code, out) == (1, f"{name} on east\n  + batch.size = 7\n")
    code, out, err = await site.ccr("apply", "-f", str(changed))
    assert (code, out, err) == (
        0, f"{name} has 1 new setting; the connector is STOPPED, no tasks\n", ""
    )  # fmt: skip
    assert (await site.client.settings(name))["producer.override.sasl.jaas.config"] == module

    # what is wrong is told by key, before anything is written
    code, _, err = await site.ccr("patch", name, "tasks.max=many", "--remove", "batch.size")
    assert code == 1
    assert "tasks.max: Invalid value many" in err
    assert "Nothing was changed" in err
    assert (await site.client.settings(name))["batch.size"] == "7"

    code, _, err = await site.ccr("stop", f"{name[:-2]}..", "--regex")
    assert code == 1
    assert f"{name}  STOPPED  no" in err
    assert f"Add --confirm {name[:-2]}.." in err
    regex = f"{name[:-2]}.."
    code, out, _ = await site.ccr("resume", regex, "--regex", "--confirm", regex)
    assert (code, out) == (0, f"{name} is RUNNING\n")
    code, _, err = await site.ccr("delete", name)
    assert code == 1
    assert f"Add --confirm {name}" in err
    code, out, _ = await site.ccr("delete", name, "--confirm", name)
    assert (code, out) == (0, f"{name} is deleted; its offsets are kept by Connect\n")

    audit = [json.loads(line) for line in service_audit(site).read_text().splitlines()]
    assert [act["did"] for act in audit] == [
        "connect.apply", "connect.apply", "connect.resume", "connect.delete"
    ]  # fmt: skip
    assert SECRET not in service_audit(site).read_text()


def service_audit(site: Site) -> Path:
    found = list(site.folder.glob("state/**/*audit.jsonl"))
    assert len(found) == 1, found
    return found[0]


async def test_list_trace_and_restart_of_what_failed(site: Site) -> None:
    good, bad = site.name("a-good"), site.name("z-bad")
    await site.client.create(good, site.source(good))
    await site.client.create(bad, site.sink(f"topic-{good}", Path("/nowhere/out"), tasks=2))
    await site.until(good, lambda now: in_state(now, State.RUNNING))
    await site.until(bad, lambda now: [each.state for each in now.tasks] == ["FAILED"] * 2)
    code, out, _ = await site.ccr("list")
    lines = out.splitlines()
    assert code == 1
    assert lines[1].split() == [bad, "east", "sink", "RUNNING", "2", "FAILED"]
    assert lines[2].strip() == "task 0, 1: java.nio.file.NoSuchFileException: /nowhere/out"
    code, out, _ = await site.ccr("list", "--json")
    (page,) = json.loads(out)["endpoints"]
    assert page["connectors"][0]["name"] == bad
    code, out, _ = await site.ccr("status", bad)
    assert code == 1
    code, out, _ = await site.ccr("trace", bad)
    assert (code, out.count("Caused by: java.nio.file.NoSuchFileException")) == (1, 1)
    assert out.count("\n        at ") == 2, "the first place of each cause"
    _, full, _ = await site.ccr("trace", bad, "--full")
    assert full.count("\n        at ") > 10
    code, out, err = await site.ccr("restart", bad)
    assert (code, out) == (1, "")
    assert "it failed again: task 0: " in err
    code, out, _ = await site.ccr("status", "no-such-connector")
    assert code == 1


async def test_edit(site: Site) -> None:
    """The editor gets the settings, and what it leaves is written once it was seen."""
    name = site.name("edited")
    await site.client.create(name, site.source(name), "STOPPED")
    editor = site.folder / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"tasks.max": "1"/"tasks.max": "2"/\' "$1"\n')
    editor.chmod(0o755)
    code, _, err = await site.ccr("edit", name)
    assert code == 1
    assert "this is no terminal" in err
    assert (await at_a_terminal(site, editor, "n\n", "edit", name))[0] == 1
    assert (await site.client.settings(name))["tasks.max"] == "1"
    assert (await at_a_terminal(site, editor, "y\n", "edit", name))[0] == 0
    assert (await site.client.settings(name))["tasks.max"] == "2"


async def test_what_is_asked_before_an_act_in_production(site: Site) -> None:
    name = site.name("production")
    await site.client.create(name, site.source(name), "STOPPED")
    site.config(environment="production")
    code, err = await at_a_terminal(site, Path("vi"), "something else\n", "delete", name)
    assert code == 1
    assert f"{name} on east (PRODUCTION) goes. Type {name} to go on: " in err
    assert "'something else' is another name" in err
    assert name in await site.client.names()
    code, _ = await at_a_terminal(site, Path("vi"), f"{name}\n", "delete", name)
    assert code == 0
    assert name not in await site.client.names()


async def at_a_terminal(site: Site, editor: Path, typed: str, *words: str) -> tuple[int, str]:
    """Run `ccr connect …`, typing an answer; return its exit code and what it asked."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        ended = await asyncio.to_thread(
            subprocess.run,
            [CCR, "connect", *words, "--config", str(site.folder / "ccr.yaml")],
            stdin=terminal, capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "EDITOR": str(editor), "VISUAL": ""},
        )  # fmt: skip
    finally:
        os.close(keyboard)
        os.close(terminal)
    return ended.returncode, ended.stderr


async def test_by_the_engine_that_runs_here(site: Site) -> None:
    """The same words; the engine has the secrets, the audit log, and says what is read-only."""
    config = site.config()
    name = site.name("by-engine")
    engine = await asyncio.create_subprocess_exec(CCR, "--no-ui", "--config", str(config))
    try:
        async with asyncio.timeout(WAIT_S):
            while not service_paths(config).socket.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        text = properties(name, site.source(name))
        code, out, err = await site.ccr("apply", "-f", "-", "--json", stdin=text)
        assert (code, err) == (0, "")
        assert json.loads(out)["results"] == [
            {
                "endpoint": "east",
                "connector": name,
                "changed": True,
                "text": f"{name} is created; the connector is RUNNING, task 0 RUNNING",
            }
        ]
        for verb in ("list", "describe", "status", "tasks"):
            code, out, err = await site.ccr(verb, *([] if verb == "list" else [name]), "--json")
            assert (code, err) == (0, ""), verb
            assert name in out, verb
        code, out, _ = await site.ccr("plugins", "FileStreamSource", "--json")
        assert "batch.size" in [key["name"] for key in json.loads(out)["settings"]]
        code, out, _ = await site.ccr("loggers", "--json")
        assert [each["url"] for each in json.loads(out)["workers"]] == list(site.client.urls)
        code, out, _ = await site.process("stop", name)
        assert (code, out) == (0, f"{name} is STOPPED\n")
        offsets: dict[str, Any] = {"offsets": []}
        code, out, _ = await site.ccr("offsets", "show", name, "--json")
        offsets = json.loads(out)
        file = site.folder / "offsets.json"
        source = str(site.folder / f"{name}.txt")
        offsets["offsets"] = [{"partition": {"filename": source}, "offset": {"position": 7}}]
        file.write_text(json.dumps(offsets))
        words = ("offsets", "set", name, "-f", str(file), "--confirm", name)
        code, out, _ = await site.ccr(*words)
        assert (code, out) == (0, f"{name}: 1 offset set, and read back\n")
        code, _, err = await site.ccr("delete", name, "--confirm", name, "--read-only")
        assert code == 1
        assert "read-only" in err
        code, out, _ = await site.ccr("delete", name, "--confirm", name)
        assert code == 0
        acts = [json.loads(line) for line in service_audit(site).read_text().splitlines()]
        assert [act["did"] for act in acts] == [
            "connect.apply", "connect.stop", "connect.set_offsets", "connect.delete"
        ]  # fmt: skip
        assert acts[1]["origin"].startswith("ccr connect")
    finally:
        engine.terminate()
        await engine.wait()
    assert engine.returncode == 0


async def test_a_read_only_endpoint_and_one_that_is_away(site: Site) -> None:
    site.config(read_only="true")
    code, _, err = await site.ccr("pause", "whatever")
    assert code == 1
    assert "connect.east is read-only in the config" in err
    config = site.folder / "ccr.yaml"
    config.write_text(
        config.read_text().replace("connect: {", "connect: {away: {urls: ['http://127.0.0.1:1']}, ")
    )
    code, out, err = await site.ccr("list", "--json")
    assert code == 3
    away, east = json.loads(out)["endpoints"]
    assert "no worker of away answers: http://127.0.0.1:1: " in away["problem"]
    assert east["problem"] is None
    code, _, err = await site.ccr("status", "whatever")
    assert code == 2
    assert "Say which: --on away" in err
