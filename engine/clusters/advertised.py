"""Can each broker be connected to under the address that it advertises?"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence

from engine.clusters import probing
from engine.clusters.probing import Server
from engine.clusters.steps import FINE, Outcome, StepError, sentences
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata

_AT_ONCE = 20
_SET = "set advertised.listeners of the broker to an address that this host can reach"


async def check_brokers(
    cluster: Cluster,
    metadata: ClusterMetadata,
    bootstrap: Sequence[Server],
    within: float,
    see: Callable[[str], None],
) -> Outcome:
    """Connect to every broker as clients do; raises StepError when one cannot be."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(node: int) -> StepError | None:
        server = Server(*metadata.brokers[node])
        async with limit:
            failure = await _reach(cluster, node, server, bootstrap, within)
        see(f"broker {node} at {server}: {failure.problem if failure else 'reached'}")
        return failure

    failures = await asyncio.gather(*(one(node) for node in sorted(metadata.brokers)))
    bad = [failure for failure in failures if failure is not None]
    if not bad:
        return FINE
    named = [
        f"broker {node} advertises {Server(*metadata.brokers[node])}, {failure.problem}"
        for node, failure in zip(sorted(metadata.brokers), failures, strict=True)
        if failure is not None
    ]
    raise StepError(sentences(named), bad[0].next_step)


async def _reach(
    cluster: Cluster, node: int, server: Server, bootstrap: Sequence[Server], within: float
) -> StepError | None:
    try:
        async with asyncio.timeout(within):
            addresses = await probing.resolve(server)
    except socket.gaierror as error:
        return StepError(
            f"a name that does not resolve here ({error.strerror})",
            f"Let this host resolve {server.host} (DNS, /etc/hosts), or {_SET}",
        )
    except TimeoutError:
        return StepError(
            f"a name that did not resolve within {within:g} s", "Check this host's DNS"
        )
    try:
        await cluster.broker_facts(node)
    except CcrError as error:
        return StepError(f"which fails: {error.cause}", _next_step(error, addresses, bootstrap))
    return None


def _next_step(error: CcrError, addresses: Sequence[str], bootstrap: Sequence[Server]) -> str:
    if "certificate" in error.cause or "login" in error.cause:
        return error.next_step
    elsewhere = not any(_is_local(server.host) for server in bootstrap)
    if elsewhere and any(_is_local(address) for address in addresses):
        return f"It advertises an address of its own host: {_SET}"
    return f"Open the way to it (firewall), or {_SET}"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
