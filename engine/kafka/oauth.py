"""Tokens for OAUTHBEARER: client credentials (RFC 6749, section 4.4) from an HTTP endpoint."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any
from urllib.parse import quote

import httpx
from aiokafka.abc import AbstractTokenProvider
from pydantic import SecretStr

from engine.config.cluster_section import SaslConfig
from engine.errors import ConfigError, ConnectError

TIMEOUT_S = 8.0  # less than a connection may take in all: it is waited for in its set-up
# Of a token's life. The rest is for connections that are made just before: brokers end a session
# with the token it began with.
RENEW_AT = 0.75
_ANSWER_CHARACTERS = 200


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Fetches tokens and keeps each for three quarters of its life; for every connection."""

    def __init__(self, cluster: str, sasl: SaslConfig, secret: SecretStr) -> None:
        self._cluster = cluster
        self._sasl = sasl
        self._secret = secret
        self._token = ""
        self._renew_at = 0.0  # monotonic
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is good for a while yet; raises ConnectError."""
        async with self._fetching:
            if time.monotonic() >= self._renew_at:
                asked_at = time.monotonic()
                answer = await self._fetch()
                self._token = str(answer["access_token"])
                self._renew_at = asked_at + RENEW_AT * _seconds(answer.get("expires_in"))
            return self._token

    def extensions(self) -> dict[str, str]:
        """Return what is sent beside the token (KIP-342)."""
        return dict(self._sasl.extensions)

    async def _fetch(self) -> dict[str, Any]:
        form = {"grant_type": "client_credentials"}
        if self._sasl.scope:
            form["scope"] = self._sasl.scope
        login = httpx.BasicAuth(
            quote(self._sasl.client_id or "", safe=""),  # RFC 6749, section 2.3.1
            quote(self._secret.get_secret_value(), safe=""),
        )
        verify = await asyncio.to_thread(self._trust)
        try:
            async with asyncio.timeout(TIMEOUT_S), httpx.AsyncClient(verify=verify) as client:
                response = await client.post(
                    str(self._sasl.token_endpoint),
                    data=form,
                    auth=login,
                    headers={"accept": "application/json"},
                )
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._failed(
                str(error) or f"no answer within {TIMEOUT_S:.0f} s",
                "Check sasl.token_endpoint (and token_ca)",
            ) from None
        return self._taken(response)

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._sasl.token_ca)
        except OSError as error:
            raise ConfigError(
                "reading sasl.token_ca of cluster", self._cluster, str(error), "Check the file"
            ) from None

    def _taken(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            answer = {}
        if response.is_success and answer.get("access_token"):
            return answer
        if response.is_success:
            raise self._failed("the answer has no access_token", "Check sasl.token_endpoint")
        said = " ".join(str(answer.get(key, "")) for key in ("error", "error_description"))
        cause = f"HTTP {response.status_code} {said.strip()[:_ANSWER_CHARACTERS]}".strip()
        raise self._failed(cause, "Check sasl.client_id, client_secret and scope")

    def _failed(self, cause: str, next_step: str) -> ConnectError:
        return ConnectError(
            "fetching a token for cluster",
            f"{self._cluster} from {self._sasl.token_endpoint}",
            cause,
            next_step,
        )


def _seconds(lifetime: object) -> float:
    """Return a token's lifetime; 0, so that it is used once, where the endpoint tells none."""
    try:
        return max(0.0, float(str(lifetime)))
    except ValueError:
        return 0.0
