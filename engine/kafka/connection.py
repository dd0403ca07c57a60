"""A data connection: frames arrive straight into a buffer of the frame's size, nothing is copied.

Set up by aiokafka (resolve, TLS, SASL, API versions), then its transport is handed over to our
protocol. `adopt` is the one place that touches aiokafka's private names; a test pins them.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import socket
import sys
import termios
import time
from collections import deque
from collections.abc import Sequence

from aiokafka.conn import AIOKafkaConnection

from engine.kafka.wire import I32, request_header

MAX_FRAME_BYTES = 256 * 1024 * 1024
WRITE_HIGH_WATER = 1024 * 1024  # beyond the socket's own buffer
SEND_BUFFER_BYTES = 4 * 1024 * 1024
_SIZE_BYTES = 4
_LOOKS = 3  # in a time limit, at whether a slow network still takes what was sent


class ConnectionLostError(ConnectionError):
    """The broker's connection ended; what was sent on it may or may not have been carried out."""


class DataConnection(asyncio.BufferedProtocol):
    """One connection to one broker. Answers come in the order of the requests."""

    def __init__(self, address: str, versions: dict[int, tuple[int, int]]) -> None:
        self.address = address
        self.versions = versions
        self._transport: asyncio.Transport | None = None
        self._size = bytearray(_SIZE_BYTES)
        self._size_filled = 0
        self._frame: memoryview | None = None
        self._filled = 0
        self._waiting: deque[tuple[int, asyncio.Future[memoryview], float]] = deque()
        self._correlation = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._watchdog: asyncio.TimerHandle | None = None
        self.set_up_by: AIOKafkaConnection | None = None
        self._retire_at = math.inf
        self._throttled_until = 0.0
        self._patience = 0.0  # the time limit of the newest request, seconds
        self._received_at = -math.inf
        self._time = asyncio.get_running_loop().time
        self._written = self._taken = 0  # bytes, of all requests; those that were on the network
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # asyncio's side

    def adopt_transport(self, transport: asyncio.Transport) -> None:
        """Take over a connected transport."""
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        transport.set_protocol(self)
        transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Hand out the rest of the present frame, or of the next frame's size."""
        if self._frame is None:
            return memoryview(self._size)[self._size_filled :]
        return self._frame[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Account for received bytes; a full frame answers the oldest request."""
        self._received_at = self._time()
        if self._frame is None:
            self._size_filled += nbytes
            if self._size_filled == _SIZE_BYTES:
                self._begin_frame()
            return
        self._filled += nbytes
        if self._filled == len(self._frame):
            frame, self._frame = self._frame, None
            self._answer(frame)

    def _begin_frame(self) -> None:
        size: int = I32.unpack(self._size)[0]
        self._size_filled = 0
        if not _SIZE_BYTES <= size <= MAX_FRAME_BYTES:
            self.abort(f"the broker announced a frame of {size} bytes")
            return
        self._frame = memoryview(bytearray(size))
        self._filled = 0

    def _answer(self, frame: memoryview) -> None:
        correlation: int = I32.unpack_from(frame)[0]
        if not self._waiting or self._waiting[0][0] != correlation:
            self.abort(f"the broker answered request {correlation} out of turn")
            return
        _, future, _ = self._waiting.popleft()
        if not future.done():
            future.set_result(frame)

    def eof_received(self) -> bool:
        """Let the transport close itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everything that waits."""
        self._finish(f"{type(exc).__name__}: {exc}" if exc else "the broker closed the connection")

    def pause_writing(self) -> None:
        """Hold back senders."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let senders go on."""
        self._writable.set()

    # our side

    def supports(self, api_key: int, version: int) -> bool:
        """Whether the broker speaks this version of an API."""
        low, high = self.versions.get(api_key, (0, -1))
        return low <= version <= high

    def send(
        self,
        api_key: int,
        version: int,
        body: Sequence[bytes | bytearray | memoryview],
        timeout_seconds: float,
    ) -> asyncio.Future[memoryview]:
        """Send a request; the future gets the whole response frame (correlation id first).

        The future fails with ConnectionLostError when the connection ends, or when for
        `timeout_seconds` no answer came and nothing moved either way: a slow network may take as
        long as it needs. That ends the connection: a late answer must not be taken for another's.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[memoryview] = loop.create_future()
        if self._transport is None or self.closed.done():
            future.set_exception(ConnectionLostError(f"{self.address}: {self.why_closed()}"))
            return future
        self._correlation = (self._correlation + 1) & 0x7FFFFFFF
        header = request_header(api_key, version, self._correlation)
        size = len(header) + sum(map(len, body))
        if not self._waiting:
            self._taken = self._written
        self._patience = timeout_seconds
        self._written += size + _SIZE_BYTES
        deadline = max(loop.time(), self._throttled_until) + timeout_seconds
        self._waiting.append((self._correlation, future, deadline))
        if self._watchdog is None or deadline < self._watchdog.when():
            self._watch(deadline)
        self._transport.write(b"".join((I32.pack(size), header, *body)))
        return future

    @property
    def retires(self) -> bool:
        """Whether to go on on another connection: the broker is about to end its session."""
        return time.monotonic() >= self._retire_at

    def throttled(self, milliseconds: int) -> None:
        """Take note that the broker answers nothing for so long: a quota was exceeded (KIP-219).

        What waits for an answer gets as much more time, and so does what is sent meanwhile.
        """
        if milliseconds <= 0:
            return
        now = asyncio.get_running_loop().time()
        until = max(self._throttled_until, now + milliseconds / 1000)
        more = until - max(self._throttled_until, now)
        self._throttled_until = until
        self._waiting = deque((id_, future, at + more) for id_, future, at in self._waiting)

    @property
    def throttle_left(self) -> float:
        """How long the broker will yet answer nothing, seconds."""
        return max(0.0, self._throttled_until - asyncio.get_running_loop().time())

    @property
    def silent_for(self) -> float:
        """For how long the broker has owed an answer and nothing came, seconds; 0.0: it owes none.

        A quota's delay does not count.
        """
        if not self._waiting:
            return 0.0
        asked = self._waiting[0][2] - self._patience
        return max(0.0, self._time() - max(asked, self._received_at))

    async def writable(self) -> None:
        """Wait until the socket takes more."""
        await self._writable.wait()

    def why_closed(self) -> str:
        """Say why the connection ended."""
        return self.closed.result() if self.closed.done() else "not connected"

    def abort(self, why: str) -> None:
        """End the connection now."""
        self._finish(why)
        if self._transport is not None:
            self._transport.abort()

    def _watch(self, deadline: float) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = asyncio.get_running_loop().call_at(deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        self._watchdog = None
        if not self._waiting:
            return
        now = asyncio.get_running_loop().time()
        deadline = min(deadline for _, _, deadline in self._waiting)
        deadline = max(deadline, self._received_at + self._patience)
        if deadline <= now and self._is_taking():
            deadline = now + self._patience / _LOOKS
        if deadline <= now:
            self.abort(f"no answer within {self._patience:g} s")
        else:
            self._watch(deadline)

    def _is_taking(self) -> bool:
        """Whether the network took some of what was sent since the last look."""
        if self._transport is None:
            return False
        unsent = self._transport.get_write_buffer_size()
        sock = self._transport.get_extra_info("socket")
        try:
            answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            unsent += int.from_bytes(answer, sys.byteorder)
        except OSError:
            pass  # not a system that tells: what is in the socket's own buffer counts as taken
        before, self._taken = self._taken, self._written - unsent
        return unsent > 0 and self._taken > before

    def _finish(self, why: str) -> None:
        if not self.closed.done():
            self.closed.set_result(why)
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        self._frame = None
        self._writable.set()
        waiting, self._waiting = self._waiting, deque()
        for _, future, _ in waiting:
            if not future.done():
                future.set_exception(ConnectionLostError(f"{self.address}: {why}"))


def adopt(connection: AIOKafkaConnection) -> DataConnection:
    """Turn a connected aiokafka connection into a data connection.

    Raises ConnectionLostError when the broker has closed it again already.
    """
    if not connection.connected():
        address = f"{connection.host}:{connection.port}"
        raise ConnectionLostError(f"{address}: the broker closed the connection during the set-up")
    transport = connection._writer.transport  # noqa: SLF001
    transport.pause_reading()
    connection._read_task.cancel()  # noqa: SLF001
    if connection._idle_handle is not None:  # noqa: SLF001
        connection._idle_handle.cancel()  # noqa: SLF001
    data = DataConnection(f"{connection.host}:{connection.port}", dict(connection._versions))  # noqa: SLF001
    data._retire_at = getattr(connection, "retire_at", math.inf)  # noqa: SLF001
    data.adopt_transport(transport)
    # Neither aiokafka's object nor its stream writer may close the transport when it is collected.
    connection._reader = None  # noqa: SLF001
    data.set_up_by = connection
    return data
