"""The control socket's part about runbooks.

POST /v1/runbooks/FLOW/plan      {"kind": "promote", "options": {…}}; Plan; changes nothing
GET  /v1/runbooks/FLOW           RunsPage
POST /v1/runbooks/FLOW/start     {"kind", "options", "digest"}; CommandResult: the run's id
POST /v1/runbooks/FLOW/abort     CommandResult; likewise go-on and confirm
"""

from __future__ import annotations

from aiohttp import web

from engine.api.protocol import EngineApi
from engine.api.snapshots import CommandResult
from engine.service import codec
from engine.service.codec import EmptyBody
from engine.service.requests import answer, body_of
from engine.service.runbook_codec import PLAN, RUNS, PlanBody, StartBody


class RunbookRoutes:
    """Answers for one EngineApi."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """Return what to add to the application."""
        path = "/v1/runbooks/{flow}"
        return [
            web.get(path, self._runs),
            web.post(f"{path}/plan", self._plan),
            web.post(f"{path}/start", self._start),
            web.post(f"{path}/abort", self._abort),
            web.post(f"{path}/go-on", self._go_on),
            web.post(f"{path}/confirm", self._confirm),
        ]

    async def _runs(self, request: web.Request) -> web.Response:
        return answer(RUNS.dump_json(await self._api.runbooks.runs(_flow(request))))

    async def _plan(self, request: web.Request) -> web.Response:
        body = await body_of(request, PlanBody)
        plan = await self._api.runbooks.plan(_flow(request), body.kind, body.options)
        return answer(PLAN.dump_json(plan))

    async def _start(self, request: web.Request) -> web.Response:
        body = await body_of(request, StartBody)
        return _result(
            await self._api.runbooks.start(_flow(request), body.kind, body.options, body.digest)
        )

    async def _abort(self, request: web.Request) -> web.Response:
        await body_of(request, EmptyBody)
        return _result(await self._api.runbooks.abort(_flow(request)))

    async def _go_on(self, request: web.Request) -> web.Response:
        await body_of(request, EmptyBody)
        return _result(await self._api.runbooks.go_on(_flow(request)))

    async def _confirm(self, request: web.Request) -> web.Response:
        await body_of(request, EmptyBody)
        return _result(await self._api.runbooks.confirm(_flow(request)))


def _flow(request: web.Request) -> str:
    return request.match_info["flow"]


def _result(result: CommandResult) -> web.Response:
    return answer(codec.RESULT.dump_json(result))
