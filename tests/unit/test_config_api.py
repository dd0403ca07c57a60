"""ConfigApi on an engine in this process, and over its socket: read, tried, saved, reloaded."""

# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import keyring
import keyring.backend
import keyring.backends.fail
import pytest
from pydantic import SecretStr

from engine.api.config_snapshots import EffectKind, Proposal
from engine.api.local import LocalEngineApi
from engine.api.protocol import EngineApi
from engine.api.snapshots import EngineMode
from engine.config import loader
from engine.config.editing.edits import HIDDEN, Put, Remove
from engine.config.problems import InvalidConfigError
from engine.config.secrets import SecretState
from engine.engine import Engine
from engine.errors import CcrError, ConfigError, RefusedError
from engine.service.client import RemoteEngineApi
from engine.service.control import ControlServer
from engine.service.listening import listen
from engine.service.lock import ServiceLock
from engine.service.paths import service_paths

SECRET = "hunter2"
FILE = """\
version: 1
clusters:
  east:   # the old site
    bootstrap_servers: [127.0.0.1:1]
    security_protocol: SASL_PLAINTEXT
    sasl: {mechanism: PLAIN, username: ccr, password: keyring:kafka/ccr}
  west: {bootstrap_servers: [127.0.0.1:1]}
flows:
  one: {source: east, target: west}
  two: {source: west, target: east, start: {timestamp: 2026-11-01T00:00:00Z}}
"""
LATEST = Put(("flows", "one", "start"), "latest")


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring backend in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def entries() -> Iterator[dict[tuple[str, str], str]]:
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made.entries
    keyring.set_keyring(before)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    found = tmp_path / "ccr.yaml"
    found.write_text(FILE)
    return found


def say(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def said(path: Path) -> str:
    return path.read_text()


def resolved(path: Path) -> str:
    return str(path.resolve())


def remove(path: Path) -> None:
    path.unlink()


async def until(engine: Engine, told: str) -> None:
    """Wait until the first cluster's reason says something."""
    async with asyncio.timeout(20):
        while told not in str(engine.snapshot().clusters[0].reason):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def engine_on(path: Path, **options: Any) -> Engine:
    options = {"mode": EngineMode.SERVICE, **options}
    return Engine(loader.load(path), config_path=str(path), **options)


@pytest.fixture
def engine(path: Path) -> Engine:
    return engine_on(path)


@asynccontextmanager
async def afar(engine: Engine, *, read_only: bool = False) -> AsyncIterator[RemoteEngineApi]:
    """Open the engine's control socket."""
    paths = service_paths(engine.config_path)
    with ServiceLock(paths):
        server = ControlServer(LocalEngineApi(engine), paths.socket)
        await server.start(listen(paths.socket))
        api = RemoteEngineApi(paths.socket, read_only=read_only)
        try:
            yield api
        finally:
            await api.close()
            await server.stop()


def touched(proposal: Proposal) -> dict[str, tuple[EffectKind, str]]:
    return {
        each.name: (each.kind, each.why)
        for each in proposal.effects
        if each.kind is not EffectKind.NOTHING
    }


async def test_the_document_is_what_is_written(engine: Engine, path: Path) -> None:
    document = await LocalEngineApi(engine).config.document()
    assert (document.path, document.why_read_only) == (resolved(path), "")
    assert document.is_applied
    assert document.section("flows")["two"]["start"] == {"timestamp": "2026-11-01T00:00:00Z"}
    assert document.section("clusters")["east"]["sasl"] == {
        "mechanism": "PLAIN", "username": "ccr", "password": "keyring:kafka/ccr",
    }  # fmt: skip
    say(path, FILE.replace("target: west}", "target: west, start: latest}"))
    later = await LocalEngineApi(engine).config.document()
    assert later.digest != document.digest
    assert not later.is_applied
    say(path, FILE.replace("target: west}", "target: wets}"))
    (problem,) = (await LocalEngineApi(engine).config.document()).problems
    assert (problem.key, problem.line) == ("flows.one.target", 9)
    say(path, "version: [")
    broken = await LocalEngineApi(engine).config.document()
    assert broken.values == {}
    assert broken.why_read_only == "there are mistakes in the file that only an editor can mend"


async def test_a_proposal_changes_nothing(engine: Engine, path: Path) -> None:
    proposal = await LocalEngineApi(engine).config.propose([LATEST])
    assert proposal.may_be_saved
    assert "+  one: {source: east, target: west, start: latest}" in proposal.diff.splitlines()
    assert touched(proposal) == {"one": (EffectKind.RESTART, "start")}
    assert said(path) == FILE
    assert engine.config.flows["one"].start == "earliest"
    nothing = await LocalEngineApi(engine).config.propose([Put(("flows", "one", "source"), "east")])
    assert (nothing.diff, nothing.may_be_saved, touched(nothing)) == ("", False, {})


@pytest.mark.parametrize(
    ("edits", "effects"),
    [
        (
            [Put(("flows", "one", "limits"), {"bytes_per_second": "1MiB", "topics": {"a": 1}})],
            {"one": ("change in place", "limits.bytes_per_second, limits.topics")},
        ),
        (
            [Put(("flows", "one", "limits"), {"bytes_per_second": "1MiB", "connections": 2})],
            {"one": ("restart", "limits.bytes_per_second, limits.connections")},
        ),
        (
            [Put(("clusters", "west", "environment"), "production")],
            {"west": ("change in place", "environment")},
        ),
        (
            [Put(("clusters", "west", "read_only"), True)],
            {"west": ("change in place", "read_only"), "one": ("restart", "read_only")},
        ),
        (
            [Put(("clusters", "west", "bootstrap_servers"), ["h:1"])],
            {
                "west": ("restart", "bootstrap_servers"),
                "one": ("restart", "cluster west changes"),
                "two": ("restart", "cluster west changes"),
            },
        ),
        (
            [Put(("clusters", "east", "sasl", "password"), "env:X")],
            {
                "east": ("restart", "sasl.password"),
                "one": ("restart", "cluster east changes"),
                "two": ("restart", "cluster east changes"),
            },
        ),
        (
            [Remove(("flows", "two")), Put(("flows", "new"), {"source": "west", "target": "east"})],
            {"new": ("start", "it is new"), "two": ("stop", "it is removed")},
        ),
        (
            [Put(("clusters", "dr"), {"bootstrap_servers": ["h:1"]})],
            {"dr": ("start", "it is new")},
        ),
        (
            [Put(("read_only",), True)],
            {"one": ("restart", "read_only"), "two": ("restart", "read_only")},
        ),
        ([Put(("flows", "one", "topics"), {"include": [".*"]})], {}),
    ],
)
async def test_what_applying_does_is_told(
    engine: Engine, edits: list[Any], effects: dict[str, tuple[str, str]]
) -> None:
    proposal = await LocalEngineApi(engine).config.propose(edits)
    assert proposal.problems == ()
    assert touched(proposal) == effects


async def test_the_order_of_rules_counts(engine: Engine, path: Path) -> None:
    limits = Put(("flows", "one", "limits"), {"topics": {"a": 1, "b": 2}})
    api = LocalEngineApi(engine).config
    await api.save([limits], (await api.propose([limits])).digest)
    turned = Put(("flows", "one", "limits"), {"topics": {"b": 2, "a": 1}})
    proposal = await api.propose([turned])
    assert touched(proposal) == {"one": (EffectKind.CHANGE, "limits.topics")}
    await api.save([turned], proposal.digest)
    assert list(engine.flow("one").limiter.topic_rates) == ["b", "a"]


async def test_problems_have_the_key_and_the_line_as_it_would_be(engine: Engine) -> None:
    proposal = await LocalEngineApi(engine).config.propose(
        [
            Put(("flows", "one", "topics"), {"include": ["a", "("], "exclude": ["b"]}),
            Put(("flows", "new"), {"source": "north", "target": "west"}),
        ]
    )
    assert [(each.key, each.line) for each in proposal.problems] == [
        ("flows.one.topics.include.1", 9),
        ("flows.new.source", 12),
    ]
    assert proposal.effects == ()
    assert not proposal.may_be_saved


async def test_a_saved_change_is_written_and_applied(engine: Engine, path: Path) -> None:
    api = LocalEngineApi(engine)
    one, two = engine.flow("one"), engine.flow("two")
    east = engine.clusters["east"]
    proposal = await api.config.propose([LATEST])
    applied = await api.config.save([LATEST], proposal.digest)
    assert applied.text == "flow one restarted"
    assert said(path) == FILE.replace("target: west}", "target: west, start: latest}")
    assert (await api.config.document()).digest == applied.digest
    assert engine.flow("one") is not one
    assert engine.flow("one").board is one.board
    assert engine.flow("one").config.start == "latest"
    assert engine.flow("two") is two
    assert engine.clusters["east"] is east
    with pytest.raises(RefusedError, match="somebody else has changed the file"):
        await api.config.save([Remove(("flows", "two"))], proposal.digest)
    assert list(engine.flows) == ["one", "two"]


async def test_a_secret_that_was_given_is_kept_over_reloads(engine: Engine) -> None:
    api = LocalEngineApi(engine)
    await api.clusters.give_secret("east", "sasl.password", SecretStr(SECRET))
    for edit in (
        Put(("flows", "one", "start"), "latest"),
        Put(("clusters", "east", "environment"), "staging"),
        Put(("clusters", "east", "request_timeout"), "9s"),
    ):
        await api.config.save([edit], (await api.config.document()).digest)
        (secret,) = next(each for each in engine.snapshot().clusters if each.name == "east").secrets
        assert secret.state is SecretState.GIVEN
    assert engine.snapshot().clusters[0].environment == "staging"


@pytest.mark.parametrize("allowed", [False, True])
async def test_no_secret_is_written_or_shown(
    engine: Engine, path: Path, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    api = LocalEngineApi(engine).config
    if allowed:
        say(path, FILE + "allow_plaintext_secrets: true\n")
    text = said(path)
    edit = Put(("clusters", "east", "sasl", "password"), SECRET)
    proposal = await api.propose([edit])
    (problem,) = proposal.problems
    assert problem.key == "clusters.east.sasl.password"
    assert "writes no secret into a file" in problem.text
    with pytest.raises(InvalidConfigError) as caught:
        await api.save([edit], proposal.digest)
    misspelt = Put(("clusters", "east", "sasl", "pasword"), SECRET)
    told = f"{proposal} {caught.value} {await api.propose([misspelt])} {caplog.text}"
    assert SECRET not in told
    assert said(path) == text


async def test_a_secret_in_the_file_is_neither_shown_nor_lost(path: Path) -> None:
    plain = FILE.replace("keyring:kafka/ccr", SECRET) + "allow_plaintext_secrets: true\n"
    say(path, plain)
    engine = engine_on(path)
    async with afar(engine) as api:
        document = await api.config.document()
        east: dict[str, Any] = document.section("clusters")["east"]
        assert east["sasl"]["password"] == HIDDEN
        east["environment"] = "production"
        proposal = await api.config.propose([Put(("clusters", "east"), east)])
        assert SECRET not in f"{document} {proposal}"
        await api.config.save([Put(("clusters", "east"), east)], proposal.digest)
    assert said(path) == plain.replace(
        f"password: {SECRET}}}\n", f"password: {SECRET}}}\n    environment: production\n"
    )


async def test_read_only_engines_tell_but_change_nothing(path: Path) -> None:
    of_config = FILE + "read_only: true\n"
    for text, options, why in (
        (FILE, {"read_only": True}, "this engine is read-only"),
        (of_config, {}, "the configuration says read_only"),
        (FILE, {"mode": EngineMode.ONE_SHOT}, "this engine only looks, once"),
    ):
        say(path, text)
        api = LocalEngineApi(engine_on(path, **options)).config
        document = await api.document()
        assert document.why_read_only == why
        assert document.what_to_do
        assert (await api.propose([LATEST])).may_be_saved
        assert (await api.reload(dry_run=True)).dry_run
        commands: list[Callable[[], Any]] = [
            lambda api=api, on=document.digest: api.save([LATEST], on),
            api.reload,
            lambda api=api: api.store_secret("keyring:kafka/ccr", SecretStr(SECRET)),
        ]
        for command in commands:
            with pytest.raises(RefusedError, match=why):
                await command()
        assert said(path) == text


async def test_a_bad_file_changes_nothing(engine: Engine, path: Path) -> None:
    api = LocalEngineApi(engine).config
    flows = dict(engine.flows)
    say(path, FILE.replace("source: west", "source: vest"))
    for dry_run in (True, False):
        with pytest.raises(InvalidConfigError, match=r"ccr\.yaml:10: flows\.two\.source: 'vest'"):
            await api.reload(dry_run=dry_run)
    assert engine.flows == flows
    remove(path)
    with pytest.raises(ConfigError, match="there is no such file"):
        await api.reload()
    assert engine.flows == flows


async def test_many_reloads_leave_nothing_behind(engine: Engine, path: Path) -> None:
    def held() -> tuple[int, int]:
        return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))

    api = LocalEngineApi(engine).config
    await engine.start()
    try:
        for number in range(120):
            changed = FILE.replace("[127.0.0.1:1]", f"[127.0.0.1:{1 + number % 2}]")
            say(path, changed + ("  three: {source: east, target: west}\n" * (number % 2)))
            assert (await api.reload()).notes == ()
            await asyncio.sleep(0)
            if number == 19:
                before = held()
        assert held() <= (before[0] + 1, before[1] + 2)  # connections that are just tried
        assert [flow.name for flow in engine.snapshot().flows] == ["one", "two", "three"]
    finally:
        await engine.stop(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_from_afar_it_is_the_same(engine: Engine, path: Path) -> None:
    here: EngineApi = LocalEngineApi(engine)
    edits = [LATEST, Remove(("flows", "two")), Put(("read_only",), None)]
    async with afar(engine) as there:
        assert await there.config.document() == await here.config.document()
        assert await there.config.propose(edits) == await here.config.propose(edits)
        assert await there.config.reload(dry_run=True) == await here.config.reload(dry_run=True)
        digest = (await there.config.document()).digest
        applied = await there.config.save(edits[:2], digest)
        assert applied.text == "flow one restarted; flow two removed"
        assert list(engine.flows) == ["one"]
        say(path, FILE)
        assert (await there.config.reload()).changed
        assert list(engine.flows) == ["one", "two"]
        with pytest.raises(RefusedError, match="somebody else"):
            await there.config.save([LATEST], applied.digest)
        with pytest.raises(ConfigError, match="version is no mapping"):
            await there.config.propose([Put(("version", "x"), 1)])


async def test_a_console_that_is_read_only_changes_nothing_from_afar(engine: Engine) -> None:
    async with afar(engine, read_only=True) as api:
        document = await api.config.document()
        assert document.why_read_only == "ccr was opened read-only"
        assert (await api.config.propose([LATEST])).may_be_saved
        for refused in (
            api.config.save([LATEST], document.digest),
            api.config.reload(),
            api.config.store_secret("keyring:a/b", SecretStr(SECRET)),
        ):
            with pytest.raises(RefusedError, match="opened read-only"):
                await refused


@pytest.mark.parametrize(
    "body",
    [
        {"edits": [{"kind": "put", "path": ["a"]}]},
        {"edits": [{"kind": "swap", "path": ["a"], "value": 1}]},
        {"edits": [{"kind": "put", "path": [1], "value": SECRET}]},
        {"edits": {}, "secret": SECRET},
    ],
)
async def test_a_request_that_is_wrong_is_told_without_its_values(
    engine: Engine, body: dict[str, Any]
) -> None:
    async with afar(engine):
        paths = service_paths(engine.config_path)
        transport = httpx.AsyncHTTPTransport(uds=str(paths.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://ccr") as http:
            answer = await http.post("/v1/config/propose", content=json.dumps(body))
    assert answer.status_code == 400
    assert SECRET not in answer.text


async def test_a_stored_secret_is_tried_at_once(
    engine: Engine, entries: dict[tuple[str, str], str]
) -> None:
    api = LocalEngineApi(engine)
    await engine.start()
    try:
        await until(engine, "has no entry kafka/ccr")
        result = await api.config.store_secret("keyring:kafka/ccr", SecretStr(SECRET))
        assert result.text == "kafka/ccr is in the keyring; east tried again with it"
        assert entries == {("kafka", "ccr"): SECRET}
        stored_at = asyncio.get_running_loop().time()
        await until(engine, "connection refused")
        assert asyncio.get_running_loop().time() - stored_at < 3  # by itself it looks after 5 s
    finally:
        await engine.stop(1)
    assert SECRET not in str(await api.events())


async def test_a_stored_secret_takes_the_place_of_one_that_was_given(
    engine: Engine, entries: dict[tuple[str, str], str]
) -> None:
    api = LocalEngineApi(engine)
    await api.clusters.give_secret("east", "sasl.password", SecretStr("old"))
    async with afar(engine) as remote:
        await remote.config.store_secret("keyring:kafka/ccr", SecretStr(SECRET))
    (secret,) = engine.snapshot().clusters[0].secrets
    assert secret.state is SecretState.UNREAD
    sasl = engine.config.clusters["east"].sasl
    assert sasl is not None
    assert sasl.password is not None
    assert await sasl.password.resolve(what="cluster east") == SecretStr(SECRET)


@pytest.mark.parametrize(
    ("reference", "value", "told"),
    [
        ("env:X", SECRET, "only a keyring's entry can be made here"),
        (SECRET, SECRET, "only a keyring's entry can be made here"),
        ("keyring:x", SECRET, "must name the entry as keyring:SERVICE/USER"),
        ("keyring:a/b", "", "the secret is empty"),
    ],
)
async def test_what_cannot_be_stored_is_refused(
    engine: Engine, entries: dict[tuple[str, str], str], reference: str, value: str, told: str
) -> None:
    with pytest.raises(RefusedError, match=told) as caught:
        await LocalEngineApi(engine).config.store_secret(reference, SecretStr(value))
    assert SECRET not in str(caught.value)
    assert entries == {}


async def test_without_a_keyring_the_ways_out_are_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    try:
        async with afar(engine) as api:
            with pytest.raises(CcrError, match="there is no keyring here that ccr could use"):
                await api.config.store_secret("keyring:a/b", SecretStr(SECRET))
    finally:
        keyring.set_keyring(before)
