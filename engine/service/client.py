"""EngineApi over the control socket of a running engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from engine import __version__
from engine.api.group_snapshots import GroupsPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.snapshots import CommandResult, EngineSnapshot, Event, PartitionsPage
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.errors import ConnectError, RefusedError
from engine.service import codec
from engine.service.paths import check_runtime_dir

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0  # a command may wait for a broker
_Answer = TypeVar("_Answer")


class EngineGoneError(ConnectError):
    """No engine answers on the socket: it was not started, has ended, or hangs."""


class EngineHangsError(EngineGoneError):
    """An engine has the socket but does not answer."""


class RemoteEngineApi:
    """Implements EngineApi; see there for the methods and what they raise.

    With `read_only` every command is refused here, whatever the engine would allow.
    """

    def __init__(self, socket: Path, *, read_only: bool = False) -> None:
        self._wire = _Wire(socket, read_only=read_only)
        self._flows = RemoteFlows(self._wire)
        self._clusters = RemoteClusters(self._wire)

    @property
    def flows(self) -> RemoteFlows:
        """The flows' namespace."""
        return self._flows

    @property
    def clusters(self) -> RemoteClusters:
        """The clusters' namespace."""
        return self._clusters

    async def snapshot(self) -> EngineSnapshot:
        """Return clusters and flows as they are now."""
        snapshot = await self._wire.get("/v1/snapshot", codec.SNAPSHOT)
        return replace(snapshot, read_only=True) if self._wire.read_only else snapshot

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        """Return the events after id `since`, oldest first."""
        return await self._wire.get("/v1/events", codec.EVENTS, since=since)

    async def close(self) -> None:
        """Close the connections; the engine keeps running."""
        await self._wire.close()


class RemoteFlows:
    """Implements FlowsApi."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        """Return the flow's partitions that changed after version `since`."""
        return await self._wire.get(_path(flow, "partitions"), codec.PAGE, since=since)

    async def groups(self, flow: str) -> GroupsPage:
        """Return where consumer groups stand, as of the engine's last look."""
        return await self._wire.get(_path(flow, "groups"), codec.GROUPS)

    async def loss(self, flow: str, topic: str | None = None) -> LossSnapshot:
        """Return what would be lost if the source vanished now."""
        return await self._wire.get(_path(flow, "loss"), codec.LOSS, **_topic(topic))

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        """Return the last hour of a flow, or of a source topic."""
        return await self._wire.get(_path(flow, "history"), codec.HISTORY, **_topic(topic))

    async def select(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> SelectionSnapshot:
        """Return what the flow's regexes select, or others that are being tried."""
        return await self._wire.ask(_path(flow, "select"), _tried(tried), codec.SELECTION)

    async def preview(
        self, flow: str, tried: TopicSelection | FlowConfig | None = None
    ) -> PreviewSnapshot:
        """Return what the flow does with each topic, and how large it is."""
        return await self._wire.ask(_path(flow, "preview"), _tried(tried), codec.PREVIEW)

    async def pause(self, flow: str) -> CommandResult:
        """Stop fetching; survives restarts."""
        return await self._wire.command(flow, "pause")

    async def resume(self, flow: str) -> CommandResult:
        """Undo a pause."""
        return await self._wire.command(flow, "resume")

    async def retry(
        self,
        flow: str,
        topic: str | None = None,
        partition: int | None = None,
        *,
        accept: bool = False,
    ) -> CommandResult:
        """Start stopped partitions again."""
        return await self._wire.command(
            flow, "retry", topic=topic, partition=partition, accept=accept
        )

    async def limit(
        self, flow: str, bytes_per_second: int | None, topics: str | None = None
    ) -> CommandResult:
        """Set the rate limit of the flow, or of each topic that matches; None lifts it."""
        body = {} if topics is None else {"topics": topics}
        return await self._wire.command(flow, "limit", bytes_per_second=bytes_per_second, **body)

    async def take_over(self, flow: str) -> CommandResult:
        """Claim the flow from the engine that owns it."""
        return await self._wire.command(flow, "take-over")


class RemoteClusters:
    """Implements ClustersApi."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        """Give a secret that cannot be had, or is wrong, where the configuration says."""
        body = {"key": key, "value": value.get_secret_value()}
        path = f"/v1/clusters/{quote(cluster, safe='')}/secret"
        return await self._wire.post("giving a secret for cluster", cluster, path, body)


class _Wire:
    """Requests to one socket, every failure as one of our errors."""

    def __init__(self, socket: Path, *, read_only: bool) -> None:
        self._socket = socket
        self.read_only = read_only
        self._http = httpx.AsyncClient(
            # A Unix socket has no TLS; building an SSL context would only cost start-up time.
            transport=httpx.AsyncHTTPTransport(uds=str(socket), verify=False),
            base_url="http://ccr",
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={
                codec.API_VERSION_HEADER: codec.API_VERSION,
                codec.CCR_VERSION_HEADER: __version__,
            },
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, answer: TypeAdapter[_Answer], **query: int | str) -> _Answer:
        return self._decode(await self._send("GET", path, params=query), answer)

    async def ask(
        self, path: str, body: Mapping[str, Any], answer: TypeAdapter[_Answer]
    ) -> _Answer:
        """Ask what takes a body and changes nothing."""
        timeout = httpx.Timeout(COMMAND_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        response = await self._send("POST", path, json=body, timeout=timeout)
        return self._decode(response, answer)

    async def command(self, flow: str, verb: str, **body: Any) -> CommandResult:
        return await self.post(verb, flow, _path(flow, verb), body)

    async def post(
        self, operation: str, name: str, path: str, body: Mapping[str, Any]
    ) -> CommandResult:
        if self.read_only:
            raise RefusedError(
                operation,
                name,
                "ccr was opened read-only",
                "Open it without --read-only to change anything",
            )
        timeout = httpx.Timeout(COMMAND_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        response = await self._send("POST", path, json=body, timeout=timeout)
        return self._decode(response, codec.RESULT)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        check_runtime_dir(self._socket.parent)
        try:
            response = await self._http.request(method, path, **options)
        except httpx.ConnectError:
            raise self._gone(
                "no engine answers there", "Start one with: ccr --no-ui --config FILE"
            ) from None
        except httpx.TimeoutException:
            raise EngineHangsError(
                "asking the engine at",
                str(self._socket),
                "it did not answer in time",
                "Is it stopped (SIGSTOP) or overloaded? See its log",
            ) from None
        except httpx.TransportError as error:
            raise self._gone(
                f"the engine ended while it was asked ({type(error).__name__})", "See its log"
            ) from None
        self._check_version(response)
        if response.is_error:
            raise self._refusal(response)
        return response

    def _gone(self, cause: str, next_step: str) -> EngineGoneError:
        return EngineGoneError("asking the engine at", str(self._socket), cause, next_step)

    def _check_version(self, response: httpx.Response) -> None:
        theirs = response.headers.get(codec.API_VERSION_HEADER)
        if theirs != codec.API_VERSION and not response.is_error:
            raise self._skew(response)

    def _refusal(self, response: httpx.Response) -> Exception:
        try:
            return codec.load_error(response.content)
        except ValidationError:
            return self._skew(response)

    def _decode(self, response: httpx.Response, answer: TypeAdapter[_Answer]) -> _Answer:
        try:
            return answer.validate_json(response.content)
        except ValidationError:
            raise self._skew(response) from None

    def _skew(self, response: httpx.Response) -> RefusedError:
        version = response.headers.get(codec.CCR_VERSION_HEADER, "of unknown version")
        return RefusedError(
            "talking to",
            f"the engine at {self._socket}",
            f"this ccr {__version__} does not understand the answer of ccr {version}",
            "Use the same version of ccr, or restart the service with yours",
        )


def _topic(topic: str | None) -> dict[str, str]:
    return {} if topic is None else {"topic": topic}


def _tried(tried: TopicSelection | FlowConfig | None) -> dict[str, Any]:
    if tried is None:
        return {}
    kind = "section" if isinstance(tried, FlowConfig) else "topics"
    return {kind: tried.model_dump(mode="json", exclude_unset=True)}


def _path(flow: str, leaf: str) -> str:
    return f"/v1/flows/{quote(flow, safe='')}/{leaf}"
