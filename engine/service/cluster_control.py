"""The control socket's part about the clusters.

GET  /v1/clusters                  ClusterList
GET  /v1/clusters/CLUSTER/detail   ClusterDetail; asks the cluster
POST /v1/clusters/CLUSTER/test     {"section": …, "secrets": {REFERENCE: …}}, both optional: then
                                   the cluster as configured; ConnectionTest, which goes on
GET  /v1/tests/ID                  ConnectionTest as it is now
POST /v1/clusters/CLUSTER/secret   {"key": "sasl.password", "value": …}; held in memory only
"""

from __future__ import annotations

from aiohttp import web

from engine.api.protocol import EngineApi
from engine.errors import ConfigError
from engine.service import cluster_codec, codec
from engine.service.requests import answer, body_of, stream


class ClusterRoutes:
    """Answers for one EngineApi."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """Return what to add to the application."""
        cluster = "/v1/clusters/{cluster}"
        return [
            web.get("/v1/clusters", self._list),
            web.get(f"{cluster}/detail", self._detail),
            web.post(f"{cluster}/test", self._test),
            web.get("/v1/tests/{id}", self._tested),
            web.post(f"{cluster}/secret", self._give_secret),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return answer(cluster_codec.LIST.dump_json(await self._api.clusters.list()))

    async def _detail(self, request: web.Request) -> web.StreamResponse:
        detail = await self._api.clusters.detail(request.match_info["cluster"])
        return await stream(request, cluster_codec.detail_chunks(detail))

    async def _test(self, request: web.Request) -> web.Response:
        body = await body_of(request, cluster_codec.TestBody)
        name = request.match_info["cluster"]
        begun = await self._api.clusters.test(name, body.section, body.secrets)
        return answer(cluster_codec.TEST.dump_json(begun))

    async def _tested(self, request: web.Request) -> web.Response:
        text = request.match_info["id"]
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise ConfigError("reading the request", request.path, "the id is no number")
        return answer(cluster_codec.TEST.dump_json(await self._api.clusters.tested(int(text))))

    async def _give_secret(self, request: web.Request) -> web.Response:
        body = await body_of(request, codec.SecretBody)
        cluster = request.match_info["cluster"]
        result = await self._api.clusters.give_secret(cluster, body.key, body.value)
        return answer(codec.RESULT.dump_json(result))
