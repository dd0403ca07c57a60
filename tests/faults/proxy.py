"""A TCP proxy whose links break, stall, lag and crawl on command.

It runs as a process of its own, so that neither the tests' event loop nor the replicator's shares
its interpreter. `Proxy` starts it and tells it what to do; every command is carried out when the
call returns. Benchmarks may use it too: without a rate it carries about 1 GB/s.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from engine.sandbox.ports import HOST, free_ports

CHUNK = 256 * 1024
LEAST_CHUNK = 1024
SLICE_S = 0.02  # of a limited rate, forwarded at once
UNDER_WAY = 4096  # chunks on the way; the window of a long fat link
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST
_SIZE_BYTES = 4

UP, DOWN = "up", "down"  # to the broker, and from it


class Proxy:
    """Links to brokers, one a port. What is not said otherwise applies to all of them."""

    def __init__(self, links: int) -> None:
        self.ports = tuple(free_ports(links))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.proxy", *map(str, self.ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answer()

    def __enter__(self) -> Self:
        """Return itself: it listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, and with it every connection."""
        self._process.kill()
        self._process.communicate()

    def lead_to(self, ports: Sequence[int]) -> None:
        """Say which port each link leads to."""
        for port, target in zip(self.ports, ports, strict=True):
            self._tell("lead", [port], target=target)

    def calm(self, *ports: int) -> None:
        """End delay, limits, traps and black holes; connections that are stalled stay so."""
        self._tell("calm", ports)

    def weather(self, *ports: int, delay: float = 0.0, jitter: float = 0.0, rate: int = 0) -> None:
        """Delay each direction by `delay` seconds, up to `jitter` more, at `rate` bytes/s (0: any).

        The rate is each direction's, shared by all connections of a link.
        """
        self._tell("weather", ports, delay=delay, jitter=jitter, rate=rate)

    def cut(self, *ports: int, reset: bool) -> int:
        """End all connections at once, by RST or by FIN; return how many."""
        return int(self._tell("cut", ports, reset=reset))

    def trap(self, *ports: int, direction: str, action: str, least_frame: int) -> None:
        """Lay a trap on each link: in the middle of the next frame of at least `least_frame` bytes
        that begins in that direction, `cut` (RST) its connection or `stall` it for good.
        """
        self._tell("trap", ports, direction=direction, action=action, least_frame=least_frame)

    def sprung(self, *ports: int) -> int:
        """Return how many traps went off since the proxy began."""
        return int(self._tell("sprung", ports))

    def black_hole(self, *ports: int) -> None:
        """Accept new connections and never answer on them, nor on those that are open."""
        self._tell("black_hole", ports)

    def _tell(self, command: str, ports: Sequence[int], **arguments: object) -> Any:
        assert self._process.stdin is not None
        line = json.dumps([command, list(ports or self.ports), arguments]) + "\n"
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the proxy ended")
        return json.loads(line)


# the process


@dataclass(slots=True)
class Trap:
    """Goes off in the middle of a frame."""

    action: str
    least_frame: int


class Frames:
    """Finds where Kafka's frames begin and end in a stream."""

    def __init__(self) -> None:
        self._header = b""
        self._size = self._left = 0

    def middle(self, data: bytes, least: int) -> int | None:
        """Take in what passes. Where in it is half of a frame of at least `least` bytes?"""
        at = 0
        while at < len(data):
            if not self._left:
                taken = data[at : at + _SIZE_BYTES - len(self._header)]
                self._header += taken
                at += len(taken)
                if len(self._header) == _SIZE_BYTES:
                    self._size = self._left = struct.unpack(">i", self._header)[0]
                    self._header = b""
                continue
            passing = min(self._left, len(data) - at)
            to_middle = self._left - self._size // 2
            if least and self._size >= least and 0 < to_middle <= passing:
                return at + to_middle
            self._left -= passing
            at += passing
        return None


@dataclass(slots=True)
class Weather:
    """How a link carries bytes."""

    delay: float = 0.0  # seconds, each way
    jitter: float = 0.0  # seconds, at most, on top of it
    rate: int = 0  # bytes/s, 0: unlimited


@dataclass(slots=True)
class Link:
    """A port that leads to a broker."""

    target: int = 0
    weather: Weather = field(default_factory=Weather)
    black_hole: bool = False
    traps: dict[str, Trap] = field(default_factory=dict)  # by direction
    sprung: int = 0
    busy_until: dict[str, float] = field(default_factory=dict)  # by direction, for the rate
    connections: set[Connection] = field(default_factory=set)


class Connection:
    """One client's connection and the one that was made for it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._writers: list[asyncio.StreamWriter] = []
        self._stalled = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes until either side ends."""
        self._writers = [writer]
        self._link.connections.add(self)
        try:
            if self._link.black_hole:
                await writer.wait_closed()
                return
            there, back = await asyncio.open_connection(HOST, self._link.target, limit=CHUNK)
            self._writers.append(back)
            async with asyncio.TaskGroup() as roads:
                roads.create_task(Road(self, self._link, UP).carry(reader, back))
                roads.create_task(Road(self, self._link, DOWN).carry(there, writer))
        except* OSError:
            pass  # it broke: so does the other side
        finally:
            self._link.connections.discard(self)
            self.end(reset=True)

    async def hold(self) -> None:
        """Carry nothing more if the connection is stalled."""
        if self._stalled.is_set() or self._link.black_hole:
            self._stalled.set()
            await asyncio.Event().wait()

    def stall(self) -> None:
        """Hold all bytes from now on."""
        self._stalled.set()

    def end(self, *, reset: bool) -> None:
        """End both sides, by RST or by FIN."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            if not reset:
                writer.close()
            elif not writer.transport.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()


class Road:
    """One direction of a connection."""

    def __init__(self, connection: Connection, link: Link, direction: str) -> None:
        self._connection = connection
        self._link = link
        self._direction = direction
        self._frames = Frames()
        self._arrives_at = 0.0
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes until the sending side ends."""
        async with asyncio.TaskGroup() as tasks:
            arriving = tasks.create_task(self._arrive(writer))
            while data := await reader.read(self._piece()):
                await self._connection.hold()
                data = self._spring(data)
                await self._under_way.put((await self._due(len(data)), data))
            await self._under_way.put((self._arrives_at, b""))
            await arriving

    async def _arrive(self, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._under_way.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    def _piece(self) -> int:
        rate = self._link.weather.rate
        return max(LEAST_CHUNK, min(CHUNK, int(rate * SLICE_S))) if rate else CHUNK

    async def _due(self, size: int) -> float:
        """Return when bytes that came in now arrive; waits for its turn at a limited rate."""
        now = asyncio.get_running_loop().time()
        weather = self._link.weather
        sent_at = now
        if weather.rate:
            sent_at = max(now, self._link.busy_until.get(self._direction, 0.0))
            self._link.busy_until[self._direction] = sent_at + size / weather.rate
            await asyncio.sleep(sent_at - now)
        late = weather.delay + random.uniform(0, weather.jitter)
        self._arrives_at = max(self._arrives_at, sent_at + late)
        return self._arrives_at

    def _spring(self, data: bytes) -> bytes:
        """Let a trap go off if a frame's middle is here; return what passes before it does."""
        trap = self._link.traps.get(self._direction)
        at = self._frames.middle(data, trap.least_frame if trap else 0)
        if trap is None or at is None:
            return data
        del self._link.traps[self._direction]
        self._link.sprung += 1
        self._connection.stall()
        if trap.action == "cut":
            asyncio.get_running_loop().call_later(SLICE_S, lambda: self._connection.end(reset=True))
        return data[:at]


class Commands:
    """What the process can be told."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._links = {port: Link() for port in ports}

    async def listen(self) -> None:
        """Listen on every link's port."""
        for port, link in self._links.items():
            sock = socket.create_server((HOST, port), backlog=512)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)  # a link holds little
            await asyncio.start_server(
                lambda reader, writer, link=link: Connection(link).run(reader, writer),
                sock=sock,
                limit=CHUNK,
            )

    def carry_out(self, line: bytes) -> Any:
        """Carry out one command on the links that it names; return the sum of the answers."""
        command, ports, arguments = json.loads(line)
        return sum(getattr(self, command)(self._links[port], **arguments) or 0 for port in ports)

    def lead(self, link: Link, target: int) -> None:
        """See Proxy.lead_to."""
        link.target = target

    def calm(self, link: Link) -> None:
        """See Proxy.calm."""
        link.weather, link.black_hole, link.traps = Weather(), False, {}
        link.busy_until.clear()

    def weather(self, link: Link, **settings: Any) -> None:
        """See Proxy.weather."""
        link.weather = Weather(**settings)

    def cut(self, link: Link, *, reset: bool) -> int:
        """See Proxy.cut."""
        cut = list(link.connections)
        for connection in cut:
            connection.end(reset=reset)
        return len(cut)

    def trap(self, link: Link, direction: str, action: str, least_frame: int) -> None:
        """See Proxy.trap."""
        link.traps[direction] = Trap(action, least_frame)

    def sprung(self, link: Link) -> int:
        """See Proxy.sprung."""
        return link.sprung

    def black_hole(self, link: Link) -> None:
        """See Proxy.black_hole."""
        link.black_hole = True
        for connection in link.connections:
            connection.stall()


async def _serve(ports: Sequence[int]) -> None:
    loop = asyncio.get_running_loop()
    commands = Commands(ports)
    await commands.listen()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    answer: Any = True
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        line = await lines.readline()
        if not line:
            return
        answer = commands.carry_out(line)


if __name__ == "__main__":
    asyncio.run(_serve([int(port) for port in sys.argv[1:]]))
