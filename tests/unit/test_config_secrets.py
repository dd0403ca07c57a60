"""Secrets are fetched from where they are, and never shown."""

# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from engine.config import limited
from engine.config.secrets import SecretRef, SecretState
from engine.errors import ConfigError


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring backend that holds one entry."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "from the keyring" if (service, username) == ("kafka/east", "ccr") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


UseKeyring = Callable[[keyring.backend.KeyringBackend], None]


@pytest.fixture
def use_keyring() -> Iterator[UseKeyring]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


async def value_of(reference: str) -> str:
    return (await SecretRef(reference).resolve(what="cluster east")).get_secret_value()


async def refusal_of(reference: str) -> str:
    with pytest.raises(ConfigError) as caught:
        await SecretRef(reference).resolve(what="cluster east")
    return str(caught.value)


async def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAST_PASSWORD", "a:b/c")
    assert await value_of("env:EAST_PASSWORD") == "a:b/c"
    monkeypatch.setenv("EAST_PASSWORD", "")
    assert await refusal_of("env:EAST_PASSWORD") == (
        "reading the secret for cluster east: the environment variable EAST_PASSWORD is not set. "
        "Set it where ccr is started"
    )


async def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(" keep spaces \r\n")
    path.chmod(0o600)
    assert await value_of(f"file:{path}") == " keep spaces "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
async def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2")
    path.chmod(mode)
    assert await refusal_of(f"file:{path}") == (
        f"reading the secret for cluster east: others can read {path}. Run: chmod 600 {path}"
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file or directory"), (b"\n", "is empty"), (b"\xff", "is not UTF-8 text")],
)
async def test_a_file_without_a_secret(tmp_path: Path, content: bytes | None, cause: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    assert cause in await refusal_of(f"file:{path}")


@pytest.mark.parametrize("form", ["credential:kafka", "file:{folder}/kafka"])
async def test_from_systemds_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """systemd lets the unit's user in by an ACL: its mask looks like rights of the group."""
    path = tmp_path / "kafka"
    path.write_text("from systemd\n")
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    reference = form.format(folder=tmp_path)
    assert await value_of(reference) == "from systemd"
    path.chmod(0o444)
    assert f"others can read {path}" in await refusal_of(reference)


async def test_without_systemds_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    add = "Add to the unit: LoadCredential=kafka:PATH (or LoadCredentialEncrypted=)"
    assert await refusal_of("credential:kafka") == (
        "reading the secret for cluster east: systemd handed no credentials to this process "
        f"(no $CREDENTIALS_DIRECTORY). {add}, and run ccr as that unit"
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert await refusal_of("credential:kafka") == (
        f"reading the secret for cluster east: {tmp_path}/kafka: No such file or directory. {add}"
    )


async def test_a_file_that_is_too_large_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * (64 * 1024 + 1))
    path.chmod(0o600)
    assert f"{path} is larger than 64 KiB" in await refusal_of(f"file:{path}")


async def test_from_the_keyring(use_keyring: UseKeyring) -> None:
    use_keyring(MemoryKeyring())
    assert await value_of("keyring:kafka/east/ccr") == "from the keyring"
    assert await refusal_of("keyring:kafka/west/ccr") == (
        "reading the secret for cluster east: the keyring has no entry kafka/west/ccr. "
        "Run: ccr secrets set kafka/west/ccr"
    )


async def test_without_a_keyring_the_ways_out_are_named(
    use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    use_keyring(keyring.backends.fail.Keyring())
    assert await refusal_of("keyring:kafka/ccr") == (
        "reading the secret for cluster east: there is no keyring here that ccr could use. "
        "Use credential:NAME (systemd's LoadCredential=), file:PATH (mode 0600) or env:NAME, or "
        "install a keyring (on a server: gnome-keyring under dbus-run-session)"
    )


async def test_what_a_backend_raises_is_not_repeated(use_keyring: UseKeyring) -> None:
    class Failing(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise OSError("from the keyring")

    use_keyring(Failing())
    told = await refusal_of("keyring:kafka/east/ccr")
    assert "the keyring failed (OSError). Is its daemon running?" in told
    assert "from the keyring" not in told


async def test_a_keyring_that_hangs_holds_up_nobody_and_takes_one_thread(
    use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ended = threading.Semaphore(0), threading.Event()

    class Hanging(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            assert threading.current_thread().daemon
            asked.release()
            ended.wait(60)
            return "in the end"

    monkeypatch.setattr(limited, "TIME_LIMIT_S", 0.05)
    use_keyring(Hanging())
    try:
        for _ in range(3):
            told = await refusal_of("keyring:kafka/ccr")
            assert "the keyring did not answer within" in told
        assert asked.acquire(timeout=10)
        assert not asked.acquire(blocking=False)
        monkeypatch.setattr(limited, "TIME_LIMIT_S", 10)
        waiting = asyncio.ensure_future(value_of("keyring:kafka/ccr"))
        await asyncio.sleep(0)
    finally:
        ended.set()
    assert await waiting == "in the end"


async def test_a_given_secret_is_used_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EAST_PASSWORD", raising=False)
    secret = SecretRef("env:EAST_PASSWORD")
    assert secret.state is SecretState.UNREAD
    with pytest.raises(ConfigError):
        await secret.resolve(what="cluster east")
    assert secret.state is SecretState.MISSING
    secret.give(SecretStr("hunter2"))
    assert secret.state is SecretState.GIVEN
    assert (await secret.resolve(what="cluster east")).get_secret_value() == "hunter2"
    shown = [repr(secret), str(secret), secret._given]
    assert not any("hunter2" in str(text) + repr(text) for text in shown)


async def test_a_reading_tells_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAST_PASSWORD", "x")
    secret = SecretRef("env:EAST_PASSWORD")
    await secret.resolve(what="cluster east")
    assert secret.state is SecretState.READ


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("keyring:ccr", "must name the entry as keyring:SERVICE/USER"),
        ("keyring:/ccr", "must name the entry as keyring:SERVICE/USER"),
        ("credential:../kafka", "must name a credential without a path"),
        ("credential:..", "must name a credential without a path"),
    ],
)
def test_references_that_lead_nowhere(text: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TypeAdapter(SecretRef).validate_python(text)


def test_a_plain_secret_is_never_shown() -> None:
    plain = SecretRef("hunter2")
    shown = [repr(plain), str(plain), f"{plain}", repr({"password": plain})]
    assert not any("hunter2" in text for text in shown)
    assert repr(SecretRef("env:NAME")) == "SecretRef(env:NAME)"


@pytest.mark.parametrize("text", ["env:", "vault:x", "hunter2", ":x", "file"])
def test_what_is_no_reference_is_plain_text(text: str) -> None:
    assert SecretRef(text).kind == "plain"


def test_references_are_equal_by_place() -> None:
    assert SecretRef("env:A") == SecretRef("env:A")
    assert SecretRef("env:A") != SecretRef("file:A")
    assert len({SecretRef("env:A"), SecretRef("env:A"), SecretRef("env:B")}) == 2
