"""A long link: a TCP proxy that gives every byte back after half a round trip, in order.

`python -m benchmarks.link PORT TARGET_PORT ROUND_TRIP_MS`, as a process of its own: what it costs
must not be taken from the run that is measured by the same interpreter. No limit on bandwidth.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
CHUNK = 1024 * 1024
IN_FLIGHT = 4096  # chunks; the window of a long fat link
READY = b"ready\n"


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def link(port: int, target_port: int, round_trip_ms: int) -> Iterator[None]:
    """Run the proxy on `port`."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.link",
        *map(str, (port, target_port, round_trip_ms)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != READY:
        raise SystemExit("the proxy of the long link did not start")
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _serve(port: int, target_port: int, delay_s: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(HOST, target_port, limit=CHUNK)
        await asyncio.gather(
            _carry(reader, there_writer, delay_s), _carry(there_reader, writer, delay_s)
        )

    server = await asyncio.start_server(connected, HOST, port, limit=CHUNK)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    await server.serve_forever()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    """Carry one direction; its end is carried like its bytes."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)

    async def arrive() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.create_task(arrive())
    data = b"-"
    while data and not arriving.done():
        try:
            data = await reader.read(CHUNK)
        except OSError:
            data = b""
        await under_way.put((loop.time() + delay_s, data))
    with contextlib.suppress(OSError):
        await arriving


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 2000))
