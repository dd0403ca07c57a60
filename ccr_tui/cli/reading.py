"""Where verbs that look get their numbers: the running engine, or the clusters themselves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.api.local import LocalEngineApi
from engine.api.protocol import EngineApi
from engine.api.snapshots import (
    ClusterSnapshot,
    EngineMode,
    EngineSnapshot,
    FlowState,
    PartitionsPage,
)
from engine.config import loader
from engine.engine import Engine
from engine.errors import ExitCode, RefusedError
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.paths import service_paths

LOOK_TIMEOUT_S = 20.0
SETTLE_LOOK_S = 0.05

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen, in one go."""

    snapshot: EngineSnapshot
    pages: tuple[PartitionsPage, ...]  # in the order of the snapshot's flows

    def exit_code(self) -> ExitCode:
        """3: a cluster is away; 1: a flow or partition is stopped or could not be read; else 0."""
        if any(not cluster.reachable for cluster in self.snapshot.clusters):
            return ExitCode.CANNOT_CONNECT
        bad = {FlowState.STOPPED}
        if self.snapshot.mode is EngineMode.ONE_SHOT:
            bad |= {FlowState.WAITING, FlowState.STARTING}  # nobody goes on trying
        if any(flow.state in bad or flow.partitions_stopped for flow in self.snapshot.flows):
            return ExitCode.FAILED
        return ExitCode.OK


async def read(config_path: str, *, flow: str | None = None, partitions: bool) -> Reading:
    """Read the status, and the partitions if they are wanted.

    Raises ConfigError, and RefusedError when there is no such flow. A cluster that cannot be
    reached is no error: the reading says so.
    """
    return await ask(config_path, flow, lambda api: _ask(api, flow, partitions=partitions))


async def ask(
    config_path: str, flow: str | None, question: Callable[[EngineApi], Awaitable[_Answer]]
) -> _Answer:
    """Ask the engine that runs this configuration here, or look at the clusters without one.

    Raises ConfigError, RefusedError when there is no such flow, and what the question raises.
    """
    paths = service_paths(config_path)
    if paths.socket.exists():
        api = RemoteEngineApi(paths.socket)
        try:
            return await question(api)
        except EngineHangsError as error:
            print(f"{error}. Reading the clusters instead", file=sys.stderr)
        except EngineGoneError:
            pass  # it has just ended, or died and left its socket
        finally:
            await api.close()
    async with _looking(paths.config, flow) as own:
        return await question(own)


async def _ask(api: EngineApi, flow: str | None, *, partitions: bool) -> Reading:
    snapshot = await api.snapshot()
    if flow is not None:
        snapshot = _only(snapshot, flow)
    pages = [await api.flows.partitions(each.name) for each in snapshot.flows if partitions]
    return Reading(snapshot, tuple(pages))


def _only(snapshot: EngineSnapshot, flow: str) -> EngineSnapshot:
    """Narrow a snapshot to a flow and its clusters."""
    found = tuple(each for each in snapshot.flows if each.name == flow)
    if not found:
        raise _no_such(flow, [each.name for each in snapshot.flows])
    ends = (found[0].source, found[0].target)
    clusters = tuple(cluster for cluster in snapshot.clusters if cluster.name in ends)
    return replace(snapshot, flows=found, clusters=clusters)


def _no_such(flow: str, known: Iterable[str]) -> RefusedError:
    names = ", ".join(known) or "none"
    return RefusedError("reading flow", flow, f"the configuration has no such flow ({names})")


@contextlib.asynccontextmanager
async def _looking(config: Path, flow: str | None) -> AsyncIterator[EngineApi]:
    """Have an engine that reads source ends and the flows' state topics, changing nothing."""
    loaded = loader.load(config)  # its warnings go to standard error
    if flow is not None and flow not in loaded.flows:
        raise _no_such(flow, loaded.flows)
    # What libraries complain of comes as states of clusters and flows, once and in a sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    only = None if flow is None else {flow}
    engine = Engine(loaded, config_path=str(config), mode=EngineMode.ONE_SHOT, only=only)
    api = LocalEngineApi(engine)
    await engine.start()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await engine.looked()
                while not await _settled(api):  # noqa: ASYNC110
                    await asyncio.sleep(SETTLE_LOOK_S)
        yield api
    finally:
        await engine.stop(0)


async def _settled(api: EngineApi) -> bool:
    """Whether every cluster was asked, and every partition that was found has its row."""
    snapshot = await api.snapshot()
    for flow in snapshot.flows:
        if (await api.flows.partitions(flow.name)).total != flow.partitions:
            return False
    return all(map(_was_asked, snapshot.clusters))


def _was_asked(cluster: ClusterSnapshot) -> bool:
    return cluster.reachable or (cluster.reason is not None and cluster.reason.since > 0)
