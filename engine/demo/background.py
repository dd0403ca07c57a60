"""The traffic as a process of its own: `python -m engine.demo.background`.

The console's event loop must not feel it. Standard input: a pipe; its end ends the traffic.
Standard output: `{"started": true}`, and at the end the TrafficReport as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
import signal
import sys
from pathlib import Path

from engine.demo.children import Child
from engine.demo.saying import say
from engine.demo.shapes import ORDERS
from engine.demo.traffic import Traffic, TrafficReport
from engine.errors import CcrError, ExitCode

STOP_TIMEOUT_S = 60.0
ACKNOWLEDGE_TIMEOUT_S = 10.0


async def start_traffic(bootstrap_servers: str, *, rate: float, seed: int, log: Path) -> Child:
    """Start the process; it produces as soon as this returns. Raises CcrError."""
    arguments = [bootstrap_servers, "--rate", str(rate), "--seed", str(seed)]
    return await Child.start("the demo's traffic", __name__, arguments, log)


async def stop_traffic(traffic: Child) -> TrafficReport:
    """Stop producing and return the account; every record in it was acknowledged. CcrError."""
    return TrafficReport(**await traffic.stop(STOP_TIMEOUT_S))


def main() -> int:
    """Produce until standard input ends."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap_servers")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    try:
        asyncio.run(_produce(arguments))
    except CcrError as error:
        say({"failure": str(error)})
        return error.exit_code
    return 0


async def _produce(arguments: argparse.Namespace) -> None:
    traffic = Traffic(
        arguments.bootstrap_servers,
        rate=arguments.rate,
        seed=arguments.seed,
        readers=ORDERS.topic,
    )
    await traffic.start()
    say({"started": True})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
    stopping = asyncio.ensure_future(traffic.stop())
    await asyncio.wait([stopping], timeout=ACKNOWLEDGE_TIMEOUT_S)
    if not stopping.done():
        # Without clean-up, which would wait for the same brokers.
        say({"failure": f"brokers did not acknowledge within {ACKNOWLEDGE_TIMEOUT_S:.0f} s"})
        os._exit(ExitCode.FAILED)
    say(dataclasses.asdict(stopping.result()))


if __name__ == "__main__":
    sys.exit(main())
