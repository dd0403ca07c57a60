"""`ccr connect`: the engine that runs here is asked, or the workers themselves where none does."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from engine.api.connect_protocol import ConnectApi
from engine.api.local_connect import LocalConnectApi
from engine.audit.audited import audited_connect
from engine.audit.file import AuditFile
from engine.config import loader
from engine.errors import ConfigError
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.paths import ServicePaths, service_paths


@contextlib.asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[ConnectApi]:
    """Open the way to the workers. Raises ConfigError."""
    paths = service_paths(args.config)
    remote = await _engine(paths, read_only=args.read_only)
    if remote is not None:
        try:
            yield remote.connect
        finally:
            await remote.close()
        return
    config = loader.load(Path(paths.config))
    own = LocalConnectApi(lambda: config, lambda: args.read_only or config.read_only)
    try:
        # No engine is there to write it down.
        yield audited_connect(own, AuditFile(paths.audit), lambda _: None)
    finally:
        await own.close()


async def _engine(paths: ServicePaths, *, read_only: bool) -> RemoteEngineApi | None:
    if not paths.socket.exists():
        return None
    api = RemoteEngineApi(paths.socket, read_only=read_only)
    try:
        await api.connect.endpoints()
    except EngineHangsError:
        await api.close()
        raise
    except EngineGoneError:
        await api.close()
        return None
    return api


async def endpoint_of(api: ConnectApi, args: argparse.Namespace) -> str:
    """Return the Connect cluster that is meant: --on, or the only one. Raises ConfigError."""
    if args.on is not None:
        return str(args.on)
    names = [each.name for each in await api.endpoints()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise no_endpoints(args)
    raise ConfigError(
        "choosing a Connect cluster", "", f"the configuration has {', '.join(names)}",
        f"Say which: --on {names[0]}",
    )  # fmt: skip


def no_endpoints(args: argparse.Namespace) -> ConfigError:
    """Say that there is nothing to steer."""
    return ConfigError(
        "finding a Connect cluster in", str(args.config), "it has no section connect",
        "Add one: docs/connect.md",
    )  # fmt: skip
