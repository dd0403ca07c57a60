"""A service whose configuration changes while it runs: SIGHUP, `ccr reload`, and the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
from pathlib import Path

from engine.api.snapshots import EngineSnapshot, Event
from engine.audit.file import read_acts
from engine.service.client import RemoteEngineApi
from engine.service.paths import service_paths
from tests.unit.test_service_process import CCR, CONFIG, config, running, verb

__all__ = ["config"]
TWO_FLOWS = CONFIG + "  back: {source: west, target: east}\n"
ENDED = 30.0


def say(config: Path, text: str) -> None:
    config.write_text(text)


async def until_flows(api: RemoteEngineApi, names: set[str]) -> EngineSnapshot:
    async with asyncio.timeout(ENDED):
        while True:
            snapshot = await api.snapshot()
            if {flow.name for flow in snapshot.flows} == names:
                return snapshot
            await asyncio.sleep(0.02)


async def until_told(api: RemoteEngineApi, text: str) -> Event:
    async with asyncio.timeout(ENDED):
        while True:
            for event in await api.events():
                if text in event.text:
                    return event
            await asyncio.sleep(0.02)


async def test_sighup_applies_the_file_and_a_bad_one_changes_nothing(config: Path) -> None:
    async with running(config) as service:
        api = RemoteEngineApi(service_paths(config).socket)
        first = await until_flows(api, {"dr"})
        say(config, TWO_FLOWS)
        service.send_signal(signal.SIGHUP)
        both = await until_flows(api, {"dr", "back"})
        assert (both.pid, both.engine_id) == (service.pid, first.engine_id)
        told = await until_told(api, "applied")
        assert told.text == "applied: flow back new"

        say(config, TWO_FLOWS.replace("target: east", "target: eats"))
        service.send_signal(signal.SIGHUP)
        refused = await until_told(api, "nothing was changed")
        assert refused.text.startswith("SIGHUP: nothing was changed: ")
        assert f"{config}:8: flows.back.target: 'eats' is not a cluster" in refused.text
        await until_flows(api, {"dr", "back"})

        say(config, CONFIG)
        service.send_signal(signal.SIGHUP)
        await until_flows(api, {"dr"})
        service.send_signal(signal.SIGHUP)
        await until_told(api, "signal (SIGHUP): config.reload: unchanged")
        await api.close()
        service.terminate()
        await service.communicate()
        assert service.returncode == 0
    acts = list(read_acts(service_paths(config).audit))
    assert {(act.user, act.uid, act.origin, act.did) for act in acts} == {
        ("signal", os.geteuid(), "SIGHUP", "config.reload")
    }
    assert [act.outcome for act in acts] == ["done", "failed", "done", "unchanged"]
    assert acts[0].text == "flow back new"
    assert "'eats' is not a cluster" in acts[1].text


async def test_a_service_ends_when_its_terminal_is_closed(config: Path) -> None:
    ours, theirs = pty.openpty()
    service = await asyncio.create_subprocess_exec(
        *("setsid", "--ctty", CCR, "--no-ui", "--config", str(config), "--log-format", "json"),
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(theirs)
    try:
        assert service.stdout is not None
        async with asyncio.timeout(ENDED):
            assert json.loads(await service.stdout.readline())["event"] == "service.started"
            os.close(ours)
            told = (await service.stdout.read()).decode()
            assert await service.wait() == 0
        events = {line["event"]: line for line in map(json.loads, told.splitlines())}
        assert events["service.draining"]["cause"] == "SIGHUP"
    finally:
        with contextlib.suppress(ProcessLookupError):
            service.kill()


async def test_ccr_reload_tells_what_it_would_do_and_does_it(config: Path) -> None:
    async with running(config):
        say(config, TWO_FLOWS.replace("dr: {", "dr: {limits: {bytes_per_second: 1MiB}, "))
        options = ("reload", "--config", str(config))
        code, out, err = await verb(*options, "--dry-run")
        assert (code, err) == (0, "")
        assert out == (
            "flow dr: change in place (limits.bytes_per_second)\n"
            "flow back: start (it is new)\n"
            "nothing was applied (--dry-run)\n"
        )
        code, out, _ = await verb(*options, "--json")
        applied = json.loads(out)
        assert (code, applied["changed"], applied["dry_run"]) == (0, True, False)
        kinds = {each["name"]: each["kind"] for each in applied["effects"]}
        assert kinds == {
            "east": "nothing", "west": "nothing", "dr": "change in place", "back": "start",
        }  # fmt: skip
        api = RemoteEngineApi(service_paths(config).socket)
        flows = {flow.name: flow for flow in (await api.snapshot()).flows}
        assert flows["dr"].limit_bytes_per_second == 1024 * 1024
        assert list(flows) == ["dr", "back"]
        await api.close()
        code, out, _ = await verb(*options)
        assert (code, out) == (0, "no cluster and no flow changes\n")

        say(config, CONFIG.replace("source: east", "sauce: east"))
        code, out, err = await verb(*options)
        assert (code, out) == (2, "")
        assert f"{config}:7: flows.dr.sauce: is not a known key of a flow" in err


async def test_ccr_reload_without_an_engine_says_so(config: Path) -> None:
    code, out, err = await verb("reload", "--config", str(config))
    assert (code, out) == (3, "")
    assert f"no engine runs {config} on this host" in err
