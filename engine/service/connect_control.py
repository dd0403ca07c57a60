"""The control socket's part about Kafka Connect.

POST /v1/connect/METHOD   a method of engine.api.connect_protocol.ConnectApi, its arguments as the
                          body: {"endpoint": "east", "name": "orders-sink"}; answers what it returns
"""

from __future__ import annotations

from aiohttp import web

from engine.api.protocol import EngineApi
from engine.service.connect_codec import CALLS
from engine.service.requests import answer, body_of


class ConnectRoutes:
    """Answers for one EngineApi."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """Return what to add to the application."""
        return [web.post("/v1/connect/{method}", self._call)]

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        call = CALLS.get(name)
        if call is None:
            raise web.HTTPNotFound
        body = await body_of(request, call.body)
        arguments = {field: getattr(body, field) for field in call.body.model_fields}
        found = await getattr(self._api.connect, name)(**arguments)
        return answer(call.answer.dump_json(found))
