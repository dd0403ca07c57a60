"""An EngineApi of which every command is put on record.

What a command is says the protocol: a method that returns CommandResult or Applied. So a new one
is audited from its first day (tests/unit/test_audit.py goes over the whole protocol).
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast, get_type_hints

from engine.api.cluster_protocol import ClustersApi
from engine.api.config_protocol import ConfigApi
from engine.api.config_snapshots import Applied
from engine.api.connect_protocol import ConnectApi
from engine.api.protocol import EngineApi, FlowsApi
from engine.api.runbook_protocol import RunbooksApi
from engine.api.snapshots import CommandResult
from engine.audit.caller import caller
from engine.audit.file import Act, AuditFile
from engine.config.editing.edits import Put, Remove
from engine.errors import CcrError, RefusedError

log = logging.getLogger(__name__)

NAMESPACES: Mapping[str, type] = {
    "flows": FlowsApi,
    "clusters": ClustersApi,
    "config": ConfigApi,
    "runbooks": RunbooksApi,
    "connect": ConnectApi,
}
_CHANGES = (CommandResult, Applied)
Tell = Callable[[Act], None]
_Change = TypeVar("_Change", CommandResult, Applied)


def commands(protocol: type) -> set[str]:
    """Return the methods of a namespace that change something."""
    return {
        name
        for name, method in vars(protocol).items()
        if inspect.isfunction(method) and get_type_hints(method).get("return") in _CHANGES
    }


def audited_connect(api: ConnectApi, file: AuditFile, tell: Tell) -> ConnectApi:
    """Return a namespace that stands alone, likewise: `ccr connect` where no engine runs."""
    return cast(
        "ConnectApi", _Namespace("connect", api, commands(ConnectApi), Recorder(file, tell))
    )


def audited(api: EngineApi, file: AuditFile, tell: Tell) -> EngineApi:
    """Return the same API with every command on record; `tell` hears of each act, too."""
    return cast("EngineApi", _Audited(api, file, tell))


class _Audited:
    """The API itself: what is no namespace only looks."""

    def __init__(self, api: EngineApi, file: AuditFile, tell: Tell) -> None:
        self._api = api
        recorder = Recorder(file, tell)
        for name, protocol in NAMESPACES.items():
            inner = getattr(api, name)
            setattr(self, name, _Namespace(name, inner, commands(protocol), recorder))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)


class _Namespace:
    def __init__(self, name: str, inner: object, audited: set[str], recorder: Recorder) -> None:
        self._name = name
        self._inner = inner
        self._audited = audited
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._recorded(name, method) if name in self._audited else method

    def _recorded(
        self, name: str, method: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def act(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("dry_run"):
                return await method(*args, **kwargs)  # it only looks
            arguments = _told(inspect.signature(method).bind(*args, **kwargs).arguments)
            return await self._recorder.act(
                f"{self._name}.{name}", arguments, lambda: method(*args, **kwargs)
            )

        return act


class Recorder:
    """Puts acts on record, the caller's of now."""

    def __init__(self, file: AuditFile, tell: Tell) -> None:
        self._file = file
        self._tell = tell

    async def act(
        self, did: str, arguments: dict[str, Any], do: Callable[[], Awaitable[_Change]]
    ) -> _Change:
        """Do it, and put on record how it ended; raises what it raises."""
        outcome, text = "failed", "it did not end"
        try:
            result = await do()
        except RefusedError as error:
            outcome, text = "refused", str(error)
            raise
        except CcrError as error:
            text = str(error)
            raise
        except Exception as error:
            text = f"{type(error).__name__}"
            raise
        else:
            outcome, text = ("done" if result.changed else "unchanged"), result.text
            return result
        finally:
            await self._record(did, arguments, outcome, text)

    async def _record(self, did: str, arguments: dict[str, Any], outcome: str, text: str) -> None:
        who = caller()
        act = Act(time.time(), who.user, who.uid, who.pid, who.told, did, arguments, outcome, text)
        self._tell(act)
        try:
            await asyncio.shield(asyncio.to_thread(self._file.write, act))
        except OSError as error:
            log.error(
                "the audit log %s cannot be written: %s; this is missing there: %s",
                self._file.path,
                error.strerror or error,
                act,
            )


def _told(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as they are put on record: of edits the places, of settings the keys."""
    told = {name: _plain(value) for name, value in arguments.items()}
    if not str(told.get("reference", "keyring:")).startswith("keyring:"):
        told["reference"] = "no reference, hidden"  # perhaps the secret itself, in the wrong field
    return told


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Put | Remove):
        return f"{value.kind} {'.'.join(value.path)}"
    if isinstance(value, Mapping):
        return sorted(map(str, value))  # a connector's settings: the keys, not the values
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return str(value)


def as_event(act: Act) -> tuple[str, str]:
    """Return subject and text of the event that tells of an act."""
    keys = ("flow", "cluster", "endpoint")
    of = next((act.arguments[key] for key in keys if act.arguments.get(key)), "the configuration")
    origin = f" ({act.origin})" if act.origin else ""
    return str(of), f"{act.user}{origin}: {act.did}: {act.outcome}: {act.text}"
