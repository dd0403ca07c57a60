"""Requests to the workers of one Connect cluster: the next one where one is away, and patience.

A worker that cannot be reached, or is starting, is passed over. What may have been done already is
not sent again, unless doing it twice is the same as once. A 409 (rebalance) is tried again for
REBALANCE_S; a 409 for good (the name is taken) is not.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import JsonValue, SecretStr

from engine.config.connect_section import ConnectConfig
from engine.errors import CcrError, ConnectError, KafkaError, RefusedError
from engine.kafka import tls

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 95.0  # a worker itself gives up after 90 s
REBALANCE_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
_TOLD = 600  # characters of a worker's message
_SAFE_TO_REPEAT = frozenset({"GET", "PUT", "DELETE", "PATCH"})
_FOR_GOOD = ("already exists",)
# Of a rebalance, too: the leader that is asked has just gone, or has a change to take in first.
_PASSING_500 = ("io error trying to forward rest request", "a rebalance is expected")

Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to what: for errors."""

    operation: str
    object: str


class Transport:
    """Speaks with one Connect cluster; belongs to one event loop."""

    def __init__(
        self,
        name: str,
        section: ConnectConfig,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._section = section
        self._given = transport
        self._clock = clock
        self._urls = list(section.urls)
        self._http: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    @property
    def urls(self) -> tuple[str, ...]:
        """The workers, in the configuration's order."""
        return tuple(self._section.urls)

    async def close(self) -> None:
        """End the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def send(
        self,
        act: Act,
        method: str,
        path: str,
        *,
        body: JsonValue | dict[str, Any] = None,
        query: Query = (),
        only: str | None = None,
    ) -> Any:
        """Return the JSON that a worker answers, None for nothing; `only` names the worker.

        Raises ConnectError (none answers, the login is refused), RefusedError (404, 409) and
        KafkaError (what a worker says is wrong).
        """
        deadline = self._clock() + REBALANCE_S
        pause = _FIRST_PAUSE_S
        while True:
            response = await self._by_any(act, method, path, body, query, only)
            if not _may_pass(response) or self._clock() > deadline:
                return self._answer(act, response)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, 2 * pause)

    async def _by_any(
        self, act: Act, method: str, path: str, body: Any, query: Query, only: str | None
    ) -> httpx.Response:
        """Ask one worker after the other, first the one that answered last."""
        http = await self._client()
        failures: list[str] = []
        unready: httpx.Response | None = None
        for url in [only] if only else list(self._urls):
            content: dict[str, Any] = {} if body is None else {"json": body}
            params = httpx.QueryParams(query if isinstance(query, Mapping) else list(query))
            try:
                response = await http.request(method, f"{url}{path}", params=params, **content)
            except httpx.TransportError as error:
                failures.append(f"{url}: {_why(error)}")
                if _was_sent(error) and method not in _SAFE_TO_REPEAT:
                    raise ConnectError(
                        act.operation, act.object,
                        f"{failures[-1]}, and whether it was done is not known",
                        f"Look first: ccr connect list --on {self._name}", retriable=False,
                    ) from None  # fmt: skip
                continue
            if response.status_code == httpx.codes.SERVICE_UNAVAILABLE and not only:
                failures.append(f"{url}: it is not ready (503)")
                unready = response
                continue
            self._prefer(url)
            return response
        if unready is not None and len(self._urls) == 1:
            return unready
        raise ConnectError(
            act.operation, act.object, f"no worker of {self._name} answers: {'; '.join(failures)}",
            f"Check connect.{self._name}.urls, and that the workers run",
        )  # fmt: skip

    def _prefer(self, url: str) -> None:
        """Ask this one first from now on; not one that only `only` named."""
        if url in self._urls and self._urls[0] != url:
            self._urls.remove(url)
            self._urls.insert(0, url)

    def _answer(self, act: Act, response: httpx.Response) -> Any:
        if response.is_success:
            if not response.content.strip():
                return None
            try:
                return response.json()
            except ValueError:
                raise self._strange(act, response) from None
        raise self._failed(act, response)

    def _failed(self, act: Act, response: httpx.Response) -> CcrError:
        status, said = response.status_code, _message(response)
        if status in (401, 403):
            return ConnectError(
                act.operation, act.object, f"{self._name} refuses the login (HTTP {status})",
                f"Check connect.{self._name}.auth", retriable=False,
            )  # fmt: skip
        if said is None:
            return self._strange(act, response)
        if status == httpx.codes.NOT_FOUND:
            verb = "plugins" if "plugin" in said else "list"
            step = f"What there is: ccr connect {verb} --on {self._name}"
            return RefusedError(act.operation, act.object, said, step)
        if status == httpx.codes.CONFLICT and not _is_for_good(said):
            return RefusedError(
                act.operation, act.object,
                f"{self._name} has been rebalancing for {REBALANCE_S:.0f} s ({said})",
                "Try again; are its workers restarting?", retriable=True,
            )  # fmt: skip
        if status == httpx.codes.CONFLICT:
            return RefusedError(act.operation, act.object, said)
        plugin, listed, _ = said.partition(", available connectors are:")
        step = f"What there is: ccr connect plugins --on {self._name}" if listed else ""
        return KafkaError(act.operation, act.object, f"{plugin} (HTTP {status})", step)

    def _strange(self, act: Act, response: httpx.Response) -> CcrError:
        return ConnectError(
            act.operation, act.object,
            f"{response.url.copy_with(query=None)} answers HTTP {response.status_code} without"
            " Connect's JSON",
            f"Is connect.{self._name}.urls a Connect worker's, and no proxy in between?",
            retriable=False,
        )  # fmt: skip

    async def _client(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._http is None:
                self._http = await self._open()
            return self._http

    async def _open(self) -> httpx.AsyncClient:
        login = await _login(self._name, self._section)
        context: ssl.SSLContext | bool = False
        if any(url.startswith("https:") for url in self.urls):
            loaded = await tls.load(self._name, self._section.tls, what="Kafka Connect")
            context = loaded.context
        return httpx.AsyncClient(
            transport=self._given,
            verify=context,
            headers={"accept": "application/json", **login},
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )


async def _login(name: str, section: ConnectConfig) -> dict[str, str]:
    """Return the header that logs in; raises ConfigError for a secret that is not to be had."""
    auth = section.auth
    if auth is None:
        return {}
    if auth.token is not None:
        token: SecretStr = await auth.token.resolve(what=f"the token of Kafka Connect {name}")
        return {"authorization": f"Bearer {token.get_secret_value()}"}
    if auth.password is None or auth.username is None:
        return {}
    password = await auth.password.resolve(what=f"the password of Kafka Connect {name}")
    made = httpx.BasicAuth(auth.username, password.get_secret_value())
    request = next(made.auth_flow(httpx.Request("GET", "http://connect")))
    return {"authorization": request.headers["authorization"]}


def _may_pass(response: httpx.Response) -> bool:
    """Whether it is a rebalance, or a leader that is just being replaced."""
    if response.is_success:
        return False
    said = (_message(response) or "").lower()
    if response.status_code == httpx.codes.CONFLICT:
        return not _is_for_good(said)
    failed = response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    return failed and any(words in said for words in _PASSING_500)


def _is_for_good(said: str) -> bool:
    return any(words in said for words in _FOR_GOOD)


def _message(response: httpx.Response) -> str | None:
    """Return what the worker says, None when it is not Connect that answers."""
    try:
        told = response.json()
    except ValueError:
        return None
    message = told.get("message") if isinstance(told, dict) else None
    if not isinstance(message, str):
        return None
    return " ".join(message.split())[:_TOLD]


def _was_sent(error: httpx.TransportError) -> bool:
    return not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _why(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {ANSWER_TIMEOUT_S:.0f} s"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            words = getattr(cause, "verify_message", "") or cause.reason or "it failed"
            return f"TLS: {words}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
