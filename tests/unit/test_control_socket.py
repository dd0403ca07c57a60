"""The control socket: who may use it, what it answers, how its client tells failures."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from engine.api.kept_snapshots import EventsPage, LogLevel, LogPage, LogRecord
from engine.api.loss_snapshots import HistorySnapshot, LossPoint
from engine.api.preview_snapshots import SelectionSnapshot
from engine.api.snapshots import (
    Event,
    PartitionSnapshot,
    PartitionsPage,
    PartitionState,
    Reason,
    Severity,
    Trend,
)
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.errors import CcrError, ConfigError, ConnectError, KafkaError, RefusedError
from engine.service import codec
from engine.service import wire as wire_module
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.control import MAX_BODY_BYTES, ControlServer
from engine.service.listening import listen
from engine.service.lock import ServiceLock
from engine.service.paths import ServicePaths, service_paths
from tests.unit.engine_double import RecordingEngine
from tests.unit.test_cli_groups import GROUP, page
from tests.unit.test_cli_preview import PREVIEW
from tests.unit.test_loss import LOSS

NOBODY = 65534


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServicePaths:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))
    return service_paths(tmp_path / "config.yaml")


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
async def served(engine: RecordingEngine, paths: ServicePaths) -> AsyncIterator[ServicePaths]:
    with ServiceLock(paths):
        server = ControlServer(engine, paths.socket)
        await server.start(listen(paths.socket))
        yield paths
        await server.stop()


@pytest.fixture
async def remote(served: ServicePaths) -> AsyncIterator[RemoteEngineApi]:
    api = RemoteEngineApi(served.socket)
    yield api
    await api.close()


@pytest.fixture
async def http(served: ServicePaths) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(uds=str(served.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://ccr") as plain:
        yield plain


def partition(number: int) -> PartitionSnapshot:
    return PartitionSnapshot(
        flow="dr",
        topic=f"orders.{number // 12}",
        partition=number % 12,
        target_topic=f"orders.{number // 12}",
        state=PartitionState.RUNNING,
        reason=None,
        source_end=10**9 + number,
        mirrored_to=10**9,
        target_end=10**9,
        lag_records=number,
        lag_seconds=number / 7,
        records_per_second=1234.5,
        bytes_per_second=123456.7,
        trend=Trend.DRAINING,
        observed_at=1.7e9,
        version=number,
    )


async def test_only_its_user_can_open_it(served: ServicePaths) -> None:
    assert stat.S_IMODE(served.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(served.socket.parent.stat().st_mode) == 0o700


async def test_snapshot_events_and_partitions_arrive_whole(
    engine: RecordingEngine, remote: RemoteEngineApi
) -> None:
    engine.happened = tuple(Event(n, n / 2, Severity.WARNING, "dr", f"no {n}") for n in (1, 2, 3))
    rows = tuple(partition(number) for number in range(1200))
    engine.pages["dr"] = PartitionsPage("dr", 1199, 1200, rows, (("gone", 3),))
    assert await remote.snapshot() == engine.given
    assert await remote.events(since=1) == engine.happened[1:]
    assert await remote.flows.partitions("dr", since=7) == engine.pages["dr"]
    assert engine.calls == [("partitions", "dr", 7)]


async def test_what_is_on_disk_arrives_whole_and_is_asked_for_in_pieces(
    engine: RecordingEngine, remote: RemoteEngineApi, http: httpx.AsyncClient
) -> None:
    event = Event(7, 3.5, Severity.ERROR, "dr", "it happened", "Do it")
    engine.past = EventsPage((event,), "1f-abc:12", older=True)
    record = LogRecord("1f-abc:0", 3.5, LogLevel.WARNING, "ä\nb")
    engine.log_page = LogPage("/ccr.log", (record,), "1f-abc:0", "1f-abc:20", older=True)
    assert await remote.older_events(9, "1f-abc:400", 50) == engine.past
    assert await remote.log(before="1f-abc:400", limit=50) == engine.log_page
    assert await remote.log(after="1f-abc:400") == engine.log_page
    assert engine.calls == [
        ("older_events", 9, "1f-abc:400", 50),
        ("log", "1f-abc:400", "", 50),
        ("log", "", "1f-abc:400", 500),
    ]
    refused = await http.get("/v1/log?limit=many")
    assert refused.status_code == 400
    assert "limit='many' is not a number" in refused.json()["cause"]


async def test_loss_and_history_arrive_whole_of_a_flow_or_with_a_topic(
    engine: RecordingEngine, remote: RemoteEngineApi
) -> None:
    topics = tuple(replace(LOSS.topics[0], topic=f"topic.{number}") for number in range(1000))
    engine.losses["dr"] = replace(LOSS, topics=topics, worst=LossPoint(1.0, 7, None, None))
    engine.histories["dr"] = HistorySnapshot(
        "dr", "orders ä", 5.0, (1.0, 6.0), (0.0, 7.0), (0.0, None), (0.0, None), (1.5, 2.5), (9, 8)
    )
    assert await remote.flows.loss("dr") == engine.losses["dr"]
    assert await remote.flows.loss("dr", "orders ä?&") == engine.losses["dr"]
    assert await remote.flows.history("dr", "orders ä") == engine.histories["dr"]
    await remote.flows.history("dr")
    assert engine.calls == [
        ("loss", "dr", None),
        ("loss", "dr", "orders ä?&"),
        ("history", "dr", "orders ä"),
        ("history", "dr", None),
    ]


async def test_groups_arrive_whole(engine: RecordingEngine, remote: RemoteEngineApi) -> None:
    groups = tuple(
        replace(GROUP, name=f"group ä {number}", partitions=GROUP.partitions * (number % 4))
        for number in range(23)
    )
    engine.groups_pages["dr"] = replace(page(*groups), reason=Reason("why", "what", 1.0))
    assert await remote.flows.groups("dr") == engine.groups_pages["dr"]
    assert engine.calls == [("groups", "dr")]


SECTION = FlowConfig.model_validate(
    {
        "source": "eu",
        "target": "us",
        "topics": {"include": [r"orders\..*"]},
        "rename": "prefix",
        "start": {"timestamp": "2026-11-01T00:00:00Z"},
        "limits": {"bytes_per_second": "50MiB", "topics": {".*": "1MiB"}},
        "groups": {"interval": "500ms"},
        "configs": {"pinned": {"a.*": {"retention.ms": "1"}}},
        "mm2": {"heartbeats": "both"},
    }
)
"""A flow that is not there yet, with a value of every kind."""


async def test_previews_arrive_whole_with_the_regexes_that_are_tried(
    engine: RecordingEngine, remote: RemoteEngineApi, served: ServicePaths
) -> None:
    topics = tuple(
        replace(PREVIEW.topics[number % 7], topic=f"topic.{number}") for number in range(1200)
    )
    engine.previews["primary-to-dr"] = replace(PREVIEW, topics=topics)
    chosen = tuple((f"topic.{number}", 3, number % 2) for number in range(10_000))
    decisions = (PREVIEW.topics[0].decision, PREVIEW.topics[1].decision)
    selection = SelectionSnapshot("dr", ("a",), (), 5000, decisions, chosen, 1.0, 0.1, "eu.")
    engine.selections["dr"] = selection
    tried = TopicSelection(include=["topic.*"], exclude=[r".*\.tmp"])
    watching = RemoteEngineApi(served.socket, read_only=True)
    try:
        assert await remote.flows.preview("primary-to-dr") == engine.previews["primary-to-dr"]
        assert await remote.flows.select("dr", tried) == selection
        assert await remote.flows.select("dr", SECTION) == selection
        assert await watching.flows.select("dr") == selection, "it changes nothing"
    finally:
        await watching.close()
    assert engine.calls == [
        ("preview", "primary-to-dr", None),
        ("select", "dr", tried),
        ("select", "dr", SECTION),
        ("select", "dr", None),
    ]


async def test_commands_arrive_with_their_arguments(
    engine: RecordingEngine, remote: RemoteEngineApi
) -> None:
    assert (await remote.flows.pause("dr")).text == "did pause"
    await remote.flows.resume("dr")
    await remote.flows.retry("dr")
    await remote.flows.retry("dr", "orders/ä?", 3, accept=True)
    await remote.flows.limit("dr", 50)
    await remote.flows.limit("dr", None)
    await remote.flows.limit("dr", 7, r"orders\..*")
    await remote.flows.take_over("a..%2F b")
    assert engine.calls == [
        ("pause", "dr"),
        ("resume", "dr"),
        ("retry", "dr", None, None, False),
        ("retry", "dr", "orders/ä?", 3, True),
        ("limit", "dr", 50, None),
        ("limit", "dr", None, None),
        ("limit", "dr", 7, r"orders\..*"),
        ("take-over", "a..%2F b"),
    ]


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (RefusedError("pausing", "flow dr", "it is not ours", "Take it over"), 409),
        (ConfigError("pausing", "flow dr", "no such flow"), 400),
        (KafkaError("pausing", "flow dr", "NOT_LEADER", retriable=True), 502),
        (ConnectError("asking", "cluster east", "away"), 502),
    ],
)
async def test_an_error_is_raised_on_the_other_side_as_it_was(
    engine: RecordingEngine,
    remote: RemoteEngineApi,
    http: httpx.AsyncClient,
    raised: CcrError,
    status: int,
) -> None:
    engine.failure = raised
    with pytest.raises(type(raised)) as caught:
        await remote.flows.pause("dr")
    assert type(caught.value) is type(raised)
    assert str(caught.value) == str(raised)
    assert caught.value.retriable is raised.retriable
    assert (await http.post("/v1/flows/dr/pause")).status_code == status


async def test_a_bug_is_told_without_its_details(
    engine: RecordingEngine, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    engine.failure = KeyError("hunter2")
    answer = await http.get("/v1/snapshot")
    assert answer.status_code == 500
    assert answer.json()["kind"] == "internal"
    assert "KeyError" in answer.json()["cause"]
    assert "hunter2" not in answer.text
    assert "answering GET /v1/snapshot failed" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "cause"),
    [
        ("POST", "/v1/flows/dr/limit", b"{not json", 400, "Invalid JSON"),
        ("POST", "/v1/flows/dr/limit", b"", 400, "bytes_per_second"),
        ("POST", "/v1/flows/dr/limit", b'{"bytes_per_second": 0}', 400, "bytes_per_second"),
        ("POST", "/v1/flows/dr/limit", b'{"bytes_per_second": "9"}', 400, "bytes_per_second"),
        ("POST", "/v1/flows/dr/retry", b'{"topics": "a"}', 400, "topics"),
        ("POST", "/v1/flows/dr/retry", b'{"partition": -1}', 400, "partition"),
        ("POST", "/v1/flows/dr/pause", b'{"for": "an hour"}', 400, "for"),
        ("POST", "/v1/flows/dr/pause", b"[]", 400, "an object"),
        ("POST", "/v1/flows/dr/pause", b"x" * (MAX_BODY_BYTES + 1), 413, "larger than 65536"),
        ("GET", "/v1/events?since=-1", b"", 400, "since='-1'"),
        ("GET", "/v1/events?since=1e3", b"", 400, "since='1e3'"),
        ("GET", "/v1/events?since=" + "9" * 5000, b"", 400, "since='999"),
        ("GET", "/v1/flows/dr/pause", b"", 405, "does not take GET"),
        ("GET", "/v2/snapshot", b"", 404, "no such path"),
    ],
)
async def test_a_wrong_request_is_refused_with_a_cause(
    engine: RecordingEngine,
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: bytes,
    status: int,
    cause: str,
) -> None:
    answer = await http.request(method, path, content=body)
    assert answer.status_code == status
    told = answer.json()
    assert set(told) == {"kind", "operation", "object", "cause", "next_step", "retriable"}
    assert cause in told["cause"]
    assert engine.calls == []


async def test_what_is_no_http_is_answered_400_and_the_next_request_works(
    served: ServicePaths, remote: RemoteEngineApi
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.socket))
    writer.write(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.0 400")
    writer.close()
    assert (await remote.snapshot()).engine_id == "engine-1"


async def test_another_api_version_is_refused_by_name(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/snapshot", headers={codec.API_VERSION_HEADER: "7"})
    assert answer.status_code == 409
    assert "speaks control API 1, not 7" in answer.json()["cause"]


async def test_the_client_refuses_what_a_newer_engine_answers(
    remote: RemoteEngineApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.service.requests.COMMON_HEADERS",
        {codec.API_VERSION_HEADER: "2", codec.CCR_VERSION_HEADER: "9.9.9"},
    )
    with pytest.raises(RefusedError, match=r"does not understand the answer of ccr 9\.9\.9"):
        await remote.snapshot()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_is_refused_even_where_files_would_let_him(
    served: ServicePaths, tmp_path: Path
) -> None:
    for folder in (served.socket.parent, *tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    served.socket.chmod(0o666)
    child = os.fork()
    if child == 0:
        answer = b""
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(str(served.socket))
                connection.sendall(b"POST /v1/flows/dr/pause HTTP/1.0\r\n\r\n")
                answer = connection.recv(65536)
        finally:
            refused = b" 403 " in answer and b"user id 65534 may not steer" in answer
            os._exit(0 if refused else 1)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


async def test_read_only_clients_look_but_change_nothing(
    engine: RecordingEngine, served: ServicePaths
) -> None:
    api = RemoteEngineApi(served.socket, read_only=True)
    assert (await api.snapshot()).read_only
    with pytest.raises(RefusedError, match="read-only"):
        await api.flows.pause("dr")
    await api.close()
    assert engine.calls == []


async def test_no_socket_and_a_stale_one_are_an_engine_that_is_gone(paths: ServicePaths) -> None:
    paths.socket.parent.mkdir(mode=0o700)
    api = RemoteEngineApi(paths.socket)
    with pytest.raises(EngineGoneError, match="no engine answers"):
        await api.snapshot()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket))
    with pytest.raises(EngineGoneError, match="no engine answers"):
        await api.snapshot()
    await api.close()


async def test_a_stale_socket_is_replaced(paths: ServicePaths, engine: RecordingEngine) -> None:
    paths.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket))
    api = RemoteEngineApi(paths.socket)
    with ServiceLock(paths):
        server = ControlServer(engine, paths.socket)
        await server.start(listen(paths.socket))
        assert (await api.snapshot()).engine_id == "engine-1"
        await server.stop()
    assert not paths.socket.exists()
    await api.close()


async def test_an_engine_that_hangs_is_told_apart_from_one_that_is_gone(
    paths: ServicePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "READ_TIMEOUT_S", 0.05)
    paths.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(paths.socket))
        silent.listen()
        api = RemoteEngineApi(paths.socket)
        with pytest.raises(EngineHangsError, match="did not answer in time"):
            await api.snapshot()
        await api.close()


async def test_an_engine_that_ends_is_gone_and_one_that_comes_back_is_found(
    engine: RecordingEngine, paths: ServicePaths
) -> None:
    api = RemoteEngineApi(paths.socket)
    with ServiceLock(paths):
        for _ in range(2):
            server = ControlServer(engine, paths.socket)
            await server.start(listen(paths.socket))
            await api.snapshot()
            await server.stop()
            with pytest.raises(EngineGoneError):
                await api.snapshot()
    await api.close()
