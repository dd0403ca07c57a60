"""A broker's end of a socket, in the test's own hands: real TCP, real framing, scripted answers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

from aiokafka.protocol.admin import ApiVersionResponse_v0

API_VERSIONS = 18


class Request(NamedTuple):
    """A request as it arrived: header fields, and the body's bytes."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body: bytes


class Peer:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> Request:
        """Wait for the next request."""
        (size,) = struct.unpack(">i", await self.reader.readexactly(4))
        data = await self.reader.readexactly(size)
        api_key, version, correlation_id, length = struct.unpack_from(">hhih", data)
        client_id = data[10 : 10 + length].decode()
        return Request(api_key, version, correlation_id, client_id, data[10 + length :])

    async def send(self, data: bytes, *, split_at: tuple[int, ...] = ()) -> None:
        """Send bytes; `split_at` cuts them into segments that arrive one by one."""
        edges = [0, *split_at, len(data)]
        for start, end in pairwise(edges):
            self.writer.write(data[start:end])
            await self.writer.drain()
            if split_at:
                await asyncio.sleep(0.001)  # lets the other side read: there is nothing to wait for

    async def answer(self, request: Request, body: bytes) -> None:
        """Answer a request."""
        await self.send(frame(request.correlation_id, body))

    def cut(self) -> None:
        """End the connection hard."""
        self.writer.transport.abort()


def frame(correlation_id: int, body: bytes) -> bytes:
    """Frame an answer."""
    return struct.pack(">ii", len(body) + 4, correlation_id) + body


Serve = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection with `serve`; yield the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            await serve(Peer(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the other side hung up, or the test is over
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def say_versions(peer: Peer, versions: list[tuple[int, int, int]]) -> None:
    """Answer the first request, ApiVersions."""
    request = await peer.request()
    assert request.api_key == API_VERSIONS
    await peer.answer(request, ApiVersionResponse_v0(0, versions).encode())
