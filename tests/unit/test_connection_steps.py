"""Testing a connection to what is no Kafka, or not the right one: without brokers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.api.cluster_snapshots import StepName, StepState, TestStep
from engine.clusters.probing import Server
from engine.clusters.tester import ConnectionTester
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.sandbox.certificates import CertificateAuthority

OTHER = Config.model_validate(
    {"version": 1, "clusters": {"other": {"bootstrap_servers": ["none.invalid:9092"]}}, "flows": {}}
)
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Listen with something else than Kafka; yields its address."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def failing(address: str, **section: Any) -> TestStep:
    """Return the step at which a test fails."""
    config = ClusterConfig.model_validate({"bootstrap_servers": [address], **section})
    tester = ConnectionTester(1, "prod", config, OTHER)
    async with asyncio.timeout(20):
        await tester.run()
    found = tester.snapshot().failed
    assert found is not None
    return found


async def test_a_web_server_is_no_kafka() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(http) as address:
        step = await failing(address)
    assert step.name is StepName.KAFKA
    assert step.problem == f"{address}: what answers at this port does not speak Kafka"
    assert "security_protocol" in step.next_step


async def test_an_answer_cut_short_is_no_kafka() -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write((5).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"\0")

    async with listening(short) as address:
        step = await failing(address)
    assert step.problem == f"{address}: what answers at this port does not speak Kafka"


async def test_one_that_takes_connections_and_says_nothing() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(silent) as address:
        step = await failing(address, connect_timeout="500ms")
    assert step.name is StepName.KAFKA
    assert step.problem == f"{address}: no answer within 0.5 s"
    assert step.seconds is not None
    assert step.seconds < 5


async def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    authority = CertificateAuthority.open(tmp_path, "the CA")
    pem = tmp_path / "broker.pem"
    begins = datetime.now(UTC) - timedelta(days=2)
    pem.write_text(
        authority.issue(
            "broker", hosts=["127.0.0.1"], not_before=begins, lifetime=timedelta(days=1)
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with listening(nothing, context) as address:
        step = await failing(address, security_protocol="SSL", tls={"ca": str(authority.file)})
    assert step.name is StepName.TLS
    ended = begins + timedelta(days=1)
    assert "its certificate has expired" in step.problem
    assert f"valid until {ended:%Y-%m-%d %H:%M} UTC" in step.problem
    assert step.next_step == "Have the broker's certificate renewed"
    assert f"{address} shows CN=broker" in step.seen
    assert "issued by CN=the CA" in step.seen


async def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    step = await failing("127.0.0.1:9", security_protocol="SSL", tls={"ca": missing})
    assert step.name is StepName.PREPARE
    assert step.problem == f"tls.ca {missing}: No such file or directory"


async def test_a_defect_of_ours_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "__str__", lambda _: 1 / 0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(silent) as address:
        step = await failing(address)
    assert step.state is StepState.FAILED
    assert step.problem.startswith("internal error: ZeroDivisionError")
    assert step.next_step == "Please report it with the log file"


async def test_nothing_of_a_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    login = {"mechanism": "PLAIN", "username": "u", "password": "hunter2hunter2"}

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(silent) as address:
        step = await failing(address, security_protocol="SASL_PLAINTEXT", sasl=login)
    assert step.name is StepName.KAFKA
    assert "hunter2" not in caplog.text + repr(step)


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("kafka-1:9092", "kafka-1", 9092, "kafka-1:9092"),
        ("[::1]:9093", "::1", 9093, "[::1]:9093"),
        ("10.0.0.1:1", "10.0.0.1", 1, "10.0.0.1:1"),
    ],
)
def test_addresses(text: str, host: str, port: int, written: str) -> None:
    server = Server.parse(text)
    assert (server.host, server.port, str(server)) == (host, port, written)
