"""Connecting to a broker by hand, one thing after the other, to see at which it fails.

Raises what asyncio and ssl raise; `engine.kafka.refusals` says what that means.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cryptography import x509

from engine.kafka.wire import I16, I32, Reader, request_header, string

_API_VERSIONS, _SASL_HANDSHAKE = 18, 17
_MOST_BYTES = 1_000_000  # of an answer; it has some hundred
_TLS_ALERT = 0x15
_UNSUPPORTED_SASL_MECHANISM = 33


class NotKafkaError(Exception):
    """What answered does not speak Kafka's protocol; says what it seems to be."""


@dataclass(frozen=True, slots=True)
class Server:
    """An address as the configuration or a broker names it."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Server:
        """Read host:port, IPv6 addresses in brackets or not."""
        host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        """Write host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def resolve(server: Server) -> list[str]:
    """Return the addresses of a name, in the order they are tried; raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def connect(address: str, port: int) -> None:
    """Open a TCP connection and close it."""
    _, writer = await asyncio.open_connection(address, port)
    await _close(writer)


async def certificate_of(server: Server, context: ssl.SSLContext | None) -> x509.Certificate:
    """Return the certificate that a broker shows; without a context it is not verified."""
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is sent over it
    _, writer = await asyncio.open_connection(
        server.host, server.port, ssl=context, server_hostname=server.host
    )
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        await _close(writer)
    if not shown:
        raise ssl.SSLError("the broker shows no certificate")
    return x509.load_der_x509_certificate(shown)


async def versions(server: Server, context: ssl.SSLContext | None) -> dict[int, tuple[int, int]]:
    """Return what a broker speaks, lowest and highest version by API key (ApiVersions v0)."""
    async with _opened(server, context) as (reader, writer):
        answer = await _exchange(reader, writer, _API_VERSIONS, 0, b"")
    answer.i16()  # an error here means a version that we did not ask in
    return {answer.i16(): (answer.i16(), answer.i16()) for _ in range(answer.i32())}


async def mechanisms(
    server: Server, context: ssl.SSLContext | None, wanted: str
) -> tuple[int, list[str]]:
    """Return the error for a SASL mechanism (0: it is taken), and those that are offered."""
    async with _opened(server, context) as (reader, writer):
        answer = await _exchange(reader, writer, _SASL_HANDSHAKE, 1, string(wanted))
    error = answer.i16()
    return error, [answer.string() or "" for _ in range(answer.i32())]


def is_other_mechanism(error: int) -> bool:
    """Whether the mechanism is none that the broker has enabled."""
    return error == _UNSUPPORTED_SASL_MECHANISM


@contextlib.asynccontextmanager
async def _opened(
    server: Server, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    name = server.host if context else None
    reader, writer = await asyncio.open_connection(
        server.host, server.port, ssl=context, server_hostname=name
    )
    try:
        yield reader, writer
    finally:
        await _close(writer)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: int, version: int, body: bytes
) -> Reader:
    request = request_header(key, version, 1) + body
    writer.write(I32.pack(len(request)) + request)
    await writer.drain()
    head = await reader.readexactly(4)
    size: int = I32.unpack(head)[0]
    if not 4 < size <= _MOST_BYTES:
        raise NotKafkaError("speaks TLS" if head[0] == _TLS_ALERT else "does not speak Kafka")
    frame = await reader.readexactly(size)
    try:
        answer = Reader(memoryview(frame))
        if answer.i32() != 1:
            raise NotKafkaError("does not speak Kafka")
        I16.unpack_from(frame, 4)
    except struct.error:
        raise NotKafkaError("does not speak Kafka") from None
    return answer


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
