"""The keyring as Linux has it: a real Secret Service that works, is away, is locked, or hangs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccr_tui.resources import sample_configs_dir
from engine.errors import ExitCode
from tests.secret_service import MISSING, SecretService, secret_service

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

PAUSE_S = 1.5  # of a busy machine; a call on the loop would take the whole time limit
VALUE = "pässword with = and /"
CONFIG = """
version: 1
clusters:
  a:
    bootstrap_servers: ['127.0.0.1:1']
    security_protocol: SASL_PLAINTEXT
    sasl: {mechanism: PLAIN, username: ccr, password: keyring:kafka/ccr}
  b: {bootstrap_servers: ['127.0.0.1:1']}
flows:
  a-to-b: {source: a, target: b}
"""

# Reads the secret for each line; prints what came, how long it took, and the loop's longest pause.
RESOLVE = """
import asyncio, json, sys, time
from engine.config.secrets import SecretRef
from engine.errors import ConfigError

async def tick(pauses):
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.01)
        pauses.append(time.monotonic() - began)

async def main():
    import keyring.backends.SecretService  # what importing takes is not to be measured
    pauses = []
    ticking = asyncio.create_task(tick(pauses))
    while await asyncio.to_thread(sys.stdin.readline):
        pauses.clear()
        began = time.monotonic()
        try:
            answer = (await SecretRef("keyring:kafka/ccr").resolve(what="cluster a"))
            told = {"value": answer.get_secret_value()}
        except ConfigError as error:
            told = {"error": str(error)}
        told |= {"seconds": time.monotonic() - began, "pause": max(pauses, default=0)}
        print(json.dumps(told), flush=True)
    ticking.cancel()

asyncio.run(main())
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SecretService]:
    (tmp_path / "ccr.yaml").write_text(CONFIG)
    with secret_service(tmp_path) as made:
        made.start_bus()
        yield made


@pytest.fixture
def unlocked(service: SecretService) -> SecretService:
    service.start_keyring()
    done = service.ccr("secrets", "set", "kafka/ccr", given=f"{VALUE}\n")
    assert done.returncode == ExitCode.OK, done.stderr
    return service


def resolve(service: SecretService) -> dict[str, Any]:
    with service.python(RESOLVE) as asked:
        asked.ask()
        return asked.answer()


def listed(service: SecretService) -> tuple[int, dict[str, Any]]:
    done = service.ccr("secrets", "list", "--json")
    return done.returncode, json.loads(done.stdout)


def test_set_list_use_remove(unlocked: SecretService) -> None:
    code, told = listed(unlocked)
    assert code == ExitCode.OK
    assert told["keyring"]["backend"] == "SecretService Keyring"
    assert [(each["key"], each["readable"]) for each in told["secrets"]] == [
        ("clusters.a.sasl.password", True)
    ]
    assert VALUE not in json.dumps(told, ensure_ascii=False)
    assert resolve(unlocked)["value"] == VALUE
    refused = unlocked.ccr("secrets", "rm", "kafka/ccr")
    assert refused.returncode == ExitCode.FAILED
    assert "removing the secret kafka/ccr: it was not confirmed" in refused.stderr
    done = unlocked.ccr("secrets", "rm", "kafka/ccr", "--confirm", "kafka/ccr", "--json")
    assert json.loads(done.stdout) == {"entry": "kafka/ccr", "keys": ["clusters.a.sasl.password"]}
    assert "the keyring has no entry kafka/ccr" in resolve(unlocked)["error"]
    again = unlocked.ccr("secrets", "rm", "kafka/ccr", "--confirm", "kafka/ccr")
    assert again.returncode == ExitCode.FAILED
    assert "the keyring has no such entry" in again.stderr


def test_a_locked_keyring_is_told(unlocked: SecretService) -> None:
    unlocked.lock()
    told = resolve(unlocked)
    assert "reading the secret for cluster a: the keyring is locked" in told["error"]
    assert "credential:NAME" in told["error"]
    assert told["seconds"] < 5
    assert told["pause"] < PAUSE_S
    done = unlocked.ccr("secrets", "set", "kafka/ccr", given="other")
    assert done.returncode == ExitCode.FAILED
    assert "writing the secret kafka/ccr: the keyring is locked" in done.stderr


def test_a_frozen_keyring_is_told_in_time_and_used_again_later(unlocked: SecretService) -> None:
    with unlocked.python(RESOLVE) as asked:
        unlocked.freeze()
        asked.ask()
        code, answer = listed(unlocked)
        assert code == ExitCode.FAILED
        assert answer["keyring"]["backend"] == "SecretService Keyring"
        assert "did not answer within 4 s" in answer["secrets"][0]["reason"]
        assert_hangs(asked.answer())
        unlocked.thaw()
        asked.ask()
        assert asked.answer()["value"] == VALUE


def test_a_service_that_never_answers_is_told_in_time(service: SecretService) -> None:
    service.start_silent()
    assert_hangs(resolve(service))


def assert_hangs(told: dict[str, Any]) -> None:
    assert "cluster a: the keyring did not answer within 4 s: it hangs, or waits" in told["error"]
    assert told["error"].endswith("file:PATH (mode 0600) or env:NAME")
    assert 3.5 < told["seconds"] < 5
    assert told["pause"] < PAUSE_S


def test_no_keyring_then_one_that_comes_up(service: SecretService) -> None:
    """A service of the boot may be there before the keyring: it is found without a restart."""
    code, answer = listed(service)
    assert (code, answer["keyring"]["backend"]) == (ExitCode.FAILED, None)
    assert "there is no keyring here" in answer["secrets"][0]["reason"]
    done = service.ccr("secrets", "set", "kafka/ccr", given="x")
    assert done.returncode == ExitCode.FAILED
    assert "there is no keyring here that ccr could use" in done.stderr
    assert "gnome-keyring under dbus-run-session" in done.stderr
    with service.python(RESOLVE) as asked:
        asked.ask()
        assert "there is no keyring here" in asked.answer()["error"]
        service.start_keyring()
        service.ccr("secrets", "set", "kafka/ccr", given=VALUE)
        asked.ask()
        assert asked.answer()["value"] == VALUE


def test_secrets_of_an_imported_file_are_kept_and_found_again(service: SecretService) -> None:
    service.start_keyring()
    seed = str(sample_configs_dir() / "mm2.properties")
    done = service.ccr("import", seed, "--output", "imported.yaml", "--store-secrets")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "source-password" not in done.stdout + done.stderr
    listing = service.ccr("secrets", "list", "--config", "imported.yaml", "--json")
    told = json.loads(listing.stdout)
    assert [(each["reference"], each["readable"]) for each in told["secrets"]] == [
        ("keyring:ccr-source/source-user", True),
        ("keyring:ccr-target/dest-user", True),
    ]
