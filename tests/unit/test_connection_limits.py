"""What a broker imposes on a connection: how long a session lasts, how long it answers nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.protocol.admin import SaslAuthenticateResponse_v1, SaslHandShakeResponse_v1

from engine.config.cluster_section import ClusterConfig
from engine.kafka import fetch, fetch_by_id, produce
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.dialing import RETIRE_AT
from tests.unit.loopback import Peer, listening, say_versions

PATIENCE_S = 20.0
VERSIONS = [(0, 0, 11), (1, 4, 13), (17, 0, 1), (18, 0, 3), (36, 0, 1)]
LIFETIME_MS = 2_000


async def take_login(peer: Peer, lifetime_ms: int) -> None:
    """Let anybody in, for so long."""
    await say_versions(peer, VERSIONS)
    handshake = await peer.request()
    await peer.answer(handshake, SaslHandShakeResponse_v1(0, ["PLAIN"]).encode())
    login = await peer.request()
    await peer.answer(login, SaslAuthenticateResponse_v1(0, None, b"", lifetime_ms).encode())


async def connected(
    serve: Callable[[Peer], Awaitable[None]], act: Callable[[DataConnection], Awaitable[None]]
) -> None:
    async with listening(serve) as port, asyncio.timeout(PATIENCE_S):
        login = {"mechanism": "PLAIN", "username": "a", "password": "b"}
        config = ClusterConfig.model_validate(
            {
                "bootstrap_servers": [f"127.0.0.1:{port}"],
                "security_protocol": "SASL_PLAINTEXT",
                "sasl": login,
            }
        )
        cluster = Cluster("x", config)
        cluster.brokers = {1: ("127.0.0.1", port)}
        connection = await cluster.data_connection(1)
        try:
            await act(connection)
        finally:
            connection.abort("the test is over")


@pytest.mark.parametrize("lifetime_ms", [0, LIFETIME_MS])
async def test_a_connection_retires_before_its_session_ends(lifetime_ms: int) -> None:
    began = time.monotonic()

    async def serve(peer: Peer) -> None:
        await take_login(peer, lifetime_ms)
        await peer.request()

    async def act(connection: DataConnection) -> None:
        assert not connection.retires
        if not lifetime_ms:
            assert connection._retire_at == float("inf")  # no session ever ends
            return
        low, high = (share * lifetime_ms / 1000 for share in RETIRE_AT)
        assert low <= connection._retire_at - began <= high + (time.monotonic() - began)
        await asyncio.sleep(connection._retire_at - time.monotonic())
        assert connection.retires

    await connected(serve, act)


async def test_a_throttled_connection_has_more_time_to_answer() -> None:
    """What waits and what is sent meanwhile: the time limit begins when the broker goes on."""

    async def serve(peer: Peer) -> None:
        await take_login(peer, 0)
        for _ in range(2):
            request = await peer.request()
            await asyncio.sleep(0.5)
            await peer.answer(request, b"late")
        await peer.request()
        await asyncio.Event().wait()  # never answered

    async def act(connection: DataConnection) -> None:
        waiting = connection.send(1, 11, [b""], 0.2)
        connection.throttled(1_000)
        assert 0.5 < connection.throttle_left <= 1.0
        meanwhile = connection.send(1, 11, [b""], 0.2)
        for answer in (waiting, meanwhile):
            assert bytes((await answer)[4:]) == b"late"
        connection.throttled(0)
        with pytest.raises(ConnectionLostError, match=r"no answer within 0\.2 s"):
            await connection.send(1, 11, [b""], 0.2)

    await connected(serve, act)


def test_the_throttle_time_of_answers() -> None:
    """Fetch has it first, Produce last."""
    by_name = fetch.parse_response(memoryview(bytes(4) + (1234).to_bytes(4, "big") + bytes(10)))
    assert by_name.throttle_ms == 1234
    by_id = fetch_by_id.parse_response(
        memoryview(bytes(5) + (1234).to_bytes(4, "big") + bytes(6) + b"\x01"), {}
    )
    assert by_id.throttle_ms == 1234
    produced = memoryview(bytes(4) + bytes(4) + (1234).to_bytes(4, "big"))
    assert produce.parse_response(produced, 8) == []
    assert produce.throttle_ms(produced) == 1234
