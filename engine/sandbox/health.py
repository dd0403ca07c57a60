"""Is it ready? A Connect worker says so itself (KIP-1017).

A broker is when it lists itself and its peers, and hands out producer ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import httpx
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError as AioKafkaError
from aiokafka.errors import for_code
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from engine.errors import SandboxError
from engine.sandbox.ports import HOST

_POLL_SECONDS = 0.15
_REQUEST_TIMEOUT_MS = 5_000
_WORKER_TIMEOUT_SECONDS = 12.0  # it waits 10 s for its herder before it says no


async def wait_until_ready(
    port: int,
    node: int,
    peers: Collection[int],
    *,
    timeout_seconds: float,
    check_alive: Callable[[], None],
) -> None:
    """Wait until the broker on `port` is ready and knows `peers`.

    `check_alive` raises when the broker's process has ended. Raises `SandboxError` on timeout.
    """
    reason = "it has not opened its port"
    try:
        async with asyncio.timeout(timeout_seconds):
            while (found := await probe(port, node, peers)) is not None:
                reason = found
                check_alive()
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise SandboxError(
            "wait for",
            f"broker {node} on port {port}",
            f"not ready after {timeout_seconds:.0f} s: {reason}",
            retriable=True,
        ) from None


async def probe(port: int, node: int, peers: Collection[int] = ()) -> str | None:
    """Return None when the broker is ready, else what it lacks."""
    try:
        connection = await create_conn(
            HOST, port, client_id="ccr-sandbox", request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
    except OSError as error:
        return f"no connection ({error.strerror or error})"
    except (AioKafkaError, TimeoutError) as error:
        return f"no answer ({error!r})"
    try:
        return await _ask(connection, node, peers)
    except (AioKafkaError, TimeoutError, OSError) as error:
        return f"no answer ({error!r})"
    finally:
        connection.close()


async def _ask(connection: AIOKafkaConnection, node: int, peers: Collection[int]) -> str | None:
    metadata = await connection.send(MetadataRequest([]))
    known = {broker[0] for broker in metadata.brokers}
    missing = {node, *peers} - known
    if missing:
        return f"brokers {sorted(missing)} have not joined the cluster"
    answer = await connection.send(InitProducerIdRequest(None, 60_000))
    if answer.error_code != 0:
        return f"it hands out no producer ids yet ({for_code(answer.error_code).__name__})"
    return None


async def probe_worker(url: str) -> str | None:
    """Return None when the Connect worker at `url` is ready, else what it lacks."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_WORKER_TIMEOUT_SECONDS) as client:
            answer = await client.get(f"{url}/health")
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    if answer.status_code == httpx.codes.OK:
        return None
    return f"it answers {answer.status_code}: {answer.text.strip()[:200]}"
