"""The control socket's part about the configuration.

GET  /v1/config           ConfigDocument
POST /v1/config/propose   {"edits": [Put or Remove, …]}; Proposal; changes nothing
POST /v1/config/save      {"edits": […], "digest": …}; Applied
POST /v1/config/reload    {"dry_run": false}; Applied
POST /v1/config/secret    {"reference": "keyring:SERVICE/USER", "value": …}; CommandResult
"""

from __future__ import annotations

from aiohttp import web

from engine.api.protocol import EngineApi
from engine.service import codec, config_codec
from engine.service.requests import answer, body_of


class ConfigRoutes:
    """Answers for one EngineApi."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """Return what to add to the application."""
        return [
            web.get("/v1/config", self._document),
            web.post("/v1/config/propose", self._propose),
            web.post("/v1/config/save", self._save),
            web.post("/v1/config/reload", self._reload),
            web.post("/v1/config/secret", self._store_secret),
        ]

    async def _document(self, request: web.Request) -> web.Response:
        return answer(config_codec.DOCUMENT.dump_json(await self._api.config.document()))

    async def _propose(self, request: web.Request) -> web.Response:
        body = await body_of(request, config_codec.ProposeBody)
        proposal = await self._api.config.propose(body.edits)
        return answer(config_codec.PROPOSAL.dump_json(proposal))

    async def _save(self, request: web.Request) -> web.Response:
        body = await body_of(request, config_codec.SaveBody)
        applied = await self._api.config.save(body.edits, body.digest)
        return answer(config_codec.APPLIED.dump_json(applied))

    async def _reload(self, request: web.Request) -> web.Response:
        body = await body_of(request, config_codec.ReloadBody)
        applied = await self._api.config.reload(dry_run=body.dry_run)
        return answer(config_codec.APPLIED.dump_json(applied))

    async def _store_secret(self, request: web.Request) -> web.Response:
        body = await body_of(request, config_codec.StoreBody)
        result = await self._api.config.store_secret(body.reference, body.value)
        return answer(codec.RESULT.dump_json(result))
