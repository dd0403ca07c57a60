"""The control socket: EngineApi as HTTP and JSON on a Unix socket that only its user can open.

GET  /v1/snapshot                       EngineSnapshot
GET  /v1/events?since=ID                Event[]
GET  /v1/events/older?before=ID&place=P EventsPage; limit=N, optional, likewise below
GET  /v1/log?before=PLACE&after=PLACE   LogPage; one of the two, or neither: the newest
GET  /v1/flows/FLOW/partitions?since=N  PartitionsPage
GET  /v1/flows/FLOW/groups              GroupsPage
GET  /v1/flows/FLOW/loss?topic=TOPIC    LossSnapshot; with a topic, optional, its partitions too
GET  /v1/flows/FLOW/history?topic=TOPIC HistorySnapshot of the flow, or of a topic
POST /v1/flows/FLOW/select              {"topics": {"include": […], "exclude": […]}}, optional, or
                                        {"section": what a flow's section may say}, then FLOW need
                                        not exist; SelectionSnapshot; changes nothing
POST /v1/flows/FLOW/preview             the same; PreviewSnapshot
POST /v1/flows/FLOW/pause               CommandResult; likewise resume and take-over
POST /v1/flows/FLOW/retry               {"topic": …, "partition": …, "accept": …}, all optional
POST /v1/flows/FLOW/limit               {"bytes_per_second": N or null, "topics": REGEX or null}
/v1/clusters…, /v1/tests…               see engine.service.cluster_control
/v1/config…                             see engine.service.config_control
/v1/runbooks…                           see engine.service.runbook_control
/v1/connect…                            see engine.service.connect_control
Errors are engine.service.codec.ErrorBody with a status of 4xx or 5xx.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from engine import __version__
from engine.api.kept_snapshots import MOST_AT_ONCE
from engine.api.protocol import EngineApi
from engine.api.snapshots import CommandResult
from engine.audit.caller import ORIGIN_HEADER, Caller, asked_by, here, shortened, user_of
from engine.errors import CcrError, ConfigError, ConnectError, KafkaError, RefusedError
from engine.service import codec
from engine.service.cluster_control import ClusterRoutes
from engine.service.config_control import ConfigRoutes
from engine.service.connect_control import ConnectRoutes
from engine.service.requests import answer, body_of, stream
from engine.service.runbook_control import RunbookRoutes

LOG = logging.getLogger(__name__)
MAX_BODY_BYTES = 64 * 1024
STOP_TIMEOUT_S = 1.0
_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlServer:
    """Serves one EngineApi on a socket that listens already (engine.service.listening)."""

    def __init__(self, api: EngineApi, path: Path) -> None:
        self._api = api
        self._path = path
        self._runner: web.AppRunner | None = None

    async def start(self, listener: socket.socket) -> None:
        """Answer who connects to `listener`, which is bound to the path."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard])
        flow = "/v1/flows/{flow}"
        app.add_routes(
            [
                web.get("/v1/snapshot", self._snapshot),
                web.get("/v1/events", self._events),
                web.get("/v1/events/older", self._older_events),
                web.get("/v1/log", self._log),
                web.get(f"{flow}/partitions", self._partitions),
                web.get(f"{flow}/groups", self._groups),
                web.get(f"{flow}/loss", self._loss),
                web.get(f"{flow}/history", self._history),
                web.post(f"{flow}/select", self._select),
                web.post(f"{flow}/preview", self._preview),
                web.post(f"{flow}/pause", self._pause),
                web.post(f"{flow}/resume", self._resume),
                web.post(f"{flow}/retry", self._retry),
                web.post(f"{flow}/limit", self._limit),
                web.post(f"{flow}/take-over", self._take_over),
                *ClusterRoutes(self._api).routes(),
                *ConfigRoutes(self._api).routes(),
                *RunbookRoutes(self._api).routes(),
                *ConnectRoutes(self._api).routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_TIMEOUT_S)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Stop listening, give answers under way a second, remove the socket."""
        if self._runner is not None:
            self._path.unlink(missing_ok=True)
            await self._runner.cleanup()
            self._runner = None

    async def _snapshot(self, request: web.Request) -> web.Response:
        return answer(codec.SNAPSHOT.dump_json(await self._api.snapshot()))

    async def _events(self, request: web.Request) -> web.Response:
        return answer(codec.EVENTS.dump_json(await self._api.events(_number(request, "since"))))

    async def _older_events(self, request: web.Request) -> web.Response:
        before, limit = _number(request, "before"), _number(request, "limit", MOST_AT_ONCE)
        page = await self._api.older_events(before, request.query.get("place", ""), limit)
        return answer(codec.OLDER_EVENTS.dump_json(page))

    async def _log(self, request: web.Request) -> web.Response:
        before, after = (request.query.get(name, "") for name in ("before", "after"))
        limit = _number(request, "limit", MOST_AT_ONCE)
        page = await self._api.log(before=before, after=after, limit=limit)
        return answer(codec.LOG.dump_json(page))

    async def _partitions(self, request: web.Request) -> web.StreamResponse:
        page = await self._api.flows.partitions(
            request.match_info["flow"], _number(request, "since")
        )
        return await stream(request, codec.page_chunks(page))

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        page = await self._api.flows.groups(request.match_info["flow"])
        return await stream(request, codec.groups_chunks(page))

    async def _loss(self, request: web.Request) -> web.Response:
        topic = request.query.get("topic")
        loss = await self._api.flows.loss(request.match_info["flow"], topic)
        return answer(codec.LOSS.dump_json(loss))

    async def _history(self, request: web.Request) -> web.Response:
        topic = request.query.get("topic")
        history = await self._api.flows.history(request.match_info["flow"], topic)
        return answer(codec.HISTORY.dump_json(history))

    async def _select(self, request: web.Request) -> web.Response:
        body = await body_of(request, codec.TriedBody)
        selection = await self._api.flows.select(request.match_info["flow"], body.tried)
        return answer(codec.SELECTION.dump_json(selection))

    async def _preview(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, codec.TriedBody)
        preview = await self._api.flows.preview(request.match_info["flow"], body.tried)
        return await stream(request, codec.preview_chunks(preview))

    async def _pause(self, request: web.Request) -> web.Response:
        await body_of(request, codec.EmptyBody)
        return _result(await self._api.flows.pause(request.match_info["flow"]))

    async def _resume(self, request: web.Request) -> web.Response:
        await body_of(request, codec.EmptyBody)
        return _result(await self._api.flows.resume(request.match_info["flow"]))

    async def _retry(self, request: web.Request) -> web.Response:
        body = await body_of(request, codec.RetryBody)
        flow = request.match_info["flow"]
        return _result(
            await self._api.flows.retry(flow, body.topic, body.partition, accept=body.accept)
        )

    async def _limit(self, request: web.Request) -> web.Response:
        body = await body_of(request, codec.LimitBody)
        flow = request.match_info["flow"]
        return _result(await self._api.flows.limit(flow, body.bytes_per_second, body.topics))

    async def _take_over(self, request: web.Request) -> web.Response:
        await body_of(request, codec.EmptyBody)
        return _result(await self._api.flows.take_over(request.match_info["flow"]))


@web.middleware
async def _guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Let in only this user and this API version, and answer every failure as JSON."""
    try:
        who = _check_peer(request)
        _check_version(request)
        with asked_by(who):
            return await handler(request)
    except web.HTTPException as error:
        return _failed(_as_error(request, error), error.status)
    except CcrError as error:
        return _failed(error, _status(error))
    except Exception as error:
        LOG.exception("answering %s %s failed", request.method, request.path)
        cause = f"an internal error ({type(error).__name__}); the engine's log has the details"
        return _failed(CcrError("answering", f"{request.method} {request.path}", cause), 500)


def _check_peer(request: web.Request) -> Caller:
    """Refuse other users; return who it is.

    Where SO_PEERCRED is missing, the directory's mode 0700 stands alone.
    """
    told = shortened(request.headers.get(ORIGIN_HEADER, "the control socket"))
    if not hasattr(socket, "SO_PEERCRED"):
        return here(told)
    connection = request.get_extra_info("socket")
    if connection is None:
        raise web.HTTPForbidden(reason="the peer is gone")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _gid = _UCRED.unpack(credentials)
    if uid not in (0, os.geteuid()):
        raise web.HTTPForbidden(reason=f"user id {uid} may not steer this engine")
    return Caller(user_of(uid), uid, pid, told)


def _check_version(request: web.Request) -> None:
    theirs = request.headers.get(codec.API_VERSION_HEADER, codec.API_VERSION)
    if theirs != codec.API_VERSION:
        raise RefusedError(
            "talking to",
            f"the engine (pid {os.getpid()})",
            f"it is ccr {__version__} and speaks control API {codec.API_VERSION}, not {theirs}",
            "Use the same version of ccr, or restart the service with yours",
        )


def _number(request: web.Request, name: str, default: int = 0) -> int:
    text = request.query.get(name, str(default))
    # int() takes thousands of digits slowly, and forms such as "1_0"
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ConfigError(
            "reading the request", request.path, f"{name}={text[:40]!r} is not a number from 0 up"
        )
    return int(text)


def _result(result: CommandResult) -> web.Response:
    return answer(codec.RESULT.dump_json(result))


def _failed(error: CcrError, status: int) -> web.Response:
    return answer(codec.dump_error(error), status)


def _status(error: CcrError) -> int:
    match error:
        case ConfigError():
            return 400
        case ConnectError() | KafkaError():
            return 502
        case _:
            return 409


def _as_error(request: web.Request, error: web.HTTPException) -> CcrError:
    """Word aiohttp's own refusals (no such path or method, body too large) like ours."""
    causes = {
        404: "there is no such path",
        405: f"the path does not take {request.method}",
        413: f"the body is larger than {MAX_BODY_BYTES} bytes",
    }
    return RefusedError(
        "answering", f"{request.method} {request.path}", causes.get(error.status, error.reason)
    )
