"""Requests over the control socket of a running engine: every failure as one of our errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from engine import __version__
from engine.api.snapshots import CommandResult
from engine.audit.caller import ORIGIN_HEADER, origin
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


class Wire:
    """Requests to one socket; with `read_only` it refuses whatever changes something."""

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
                ORIGIN_HEADER: origin(),
            },
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, answer: TypeAdapter[_Answer], **query: int | str) -> _Answer:
        """Ask for what is there."""
        return self._decode(await self._send("GET", path, params=query), answer)

    async def find_out(self, path: str, answer: TypeAdapter[_Answer]) -> _Answer:
        """Ask for what the engine has to ask a cluster for."""
        timeout = httpx.Timeout(COMMAND_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        return self._decode(await self._send("GET", path, timeout=timeout), answer)

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        answer: TypeAdapter[_Answer],
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> _Answer:
        """Ask what takes a body."""
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        response = await self._send("POST", path, json=body, timeout=timeout)
        return self._decode(response, answer)

    async def post(
        self, operation: str, name: str, path: str, body: Mapping[str, Any]
    ) -> CommandResult:
        """Command something; raises RefusedError when opened read-only."""
        self.check_may_change(operation, name)
        return await self.ask(path, body, codec.RESULT)

    def check_may_change(self, operation: str, name: str) -> None:
        """Raise RefusedError when opened read-only."""
        if self.read_only:
            raise RefusedError(
                operation,
                name,
                "ccr was opened read-only",
                "Open it without --read-only to change anything",
            )

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
