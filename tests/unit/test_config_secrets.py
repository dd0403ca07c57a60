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

from engine.config import secrets
from engine.config.secrets import SecretRef
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


async def test_from_the_keyring(use_keyring: UseKeyring) -> None:
    use_keyring(MemoryKeyring())
    assert await value_of("keyring:kafka/east/ccr") == "from the keyring"
    assert await refusal_of("keyring:kafka/west/ccr") == (
        "reading the secret for cluster east: the OS keyring has no entry kafka/west/ccr. "
        "Run: keyring set kafka/west ccr"
    )


async def test_without_a_keyring_the_ways_out_are_named(use_keyring: UseKeyring) -> None:
    use_keyring(keyring.backends.fail.Keyring())
    told = await refusal_of("keyring:kafka/ccr")
    assert "the OS keyring cannot be used" in told
    assert all(way in told for way in ("env:NAME", "file:PATH", "keyring backend"))


async def test_a_keyring_that_hangs_holds_up_nobody(
    use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, ended = threading.Event(), threading.Event()

    class Hanging(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            assert threading.current_thread().daemon
            hanging.set()
            ended.wait(60)
            return "too late"

    monkeypatch.setattr(secrets, "READ_TIMEOUT_S", 0.05)
    use_keyring(Hanging())
    told = asyncio.ensure_future(refusal_of("keyring:kafka/ccr"))
    try:
        assert "keyring:kafka/ccr did not answer within" in await told
        assert hanging.is_set()
    finally:
        ended.set()


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
