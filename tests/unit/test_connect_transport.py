"""Workers that are away, busy or something else: what is tried again, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from engine.config.connect_section import ConnectConfig
from engine.connect import transport
from engine.connect.client import ConnectClient
from engine.connect.models import Connector
from engine.connect.transport import Transport
from engine.errors import CcrError, ConnectError, KafkaError, RefusedError

URLS = ["http://one:8083", "http://two:8083/connect"]
WORKER = {"version": "4.2.0", "commit": "c", "kafka_cluster_id": "k"}
BUSY = {"error_code": 409, "message": "Cannot complete request (e.g. worker rebalance)"}
Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Time that passes by itself: a step a look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def asked() -> list[str]:
    """Return what the workers were asked, in order."""
    return []


def client(
    handler: Handler, asked: list[str], urls: list[str] | None = None, clock: Clock | None = None
) -> ConnectClient:
    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return handler(request)

    section = ConnectConfig(urls=urls or URLS)
    made = Transport("east", section, httpx.MockTransport(answered), clock or Clock())
    return ConnectClient("east", section, made)


def by_host(**answers: Exception | httpx.Response) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        answer = answers[request.url.host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


async def told(call: object) -> CcrError:
    with pytest.raises(CcrError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def test_the_next_worker_is_asked_and_kept_to(asked: list[str]) -> None:
    handler = by_host(one=httpx.ConnectError("refused"), two=httpx.Response(200, json=WORKER))
    east = client(handler, asked)
    assert (await east.worker()).version == "4.2.0"
    await east.worker()
    assert asked == [
        "GET http://one:8083/",
        "GET http://two:8083/connect/",
        "GET http://two:8083/connect/",
    ]
    assert east.urls == tuple(URLS), "the order of the configuration is what is shown"


async def test_a_worker_that_is_starting_is_passed_over(asked: list[str]) -> None:
    starting = httpx.Response(503, json={"error_code": 503, "message": "starting"})
    east = client(by_host(one=starting, two=httpx.Response(200, json=WORKER)), asked)
    assert (await east.worker()).commit == "c"
    both = client(by_host(one=starting, two=starting), asked)
    error = await told(both.worker())
    assert "http://one:8083: it is not ready (503); http://two" in str(error)
    alone = client(by_host(one=starting), asked, URLS[:1])
    assert "starting (HTTP 503)" in str(await told(alone.worker()))


async def test_none_answers(asked: list[str]) -> None:
    east = client(
        by_host(one=httpx.ConnectError("refused"), two=httpx.ConnectTimeout("late")), asked
    )
    error = await told(east.names())
    assert isinstance(error, ConnectError)
    assert error.retriable
    assert str(error) == (
        "asking Kafka Connect east: no worker of east answers: http://one:8083: refused;"
        " http://two:8083/connect: no connection within 5 s. Check connect.east.urls, and that the"
        " workers run"
    )


async def test_what_may_have_been_done_is_not_sent_again(asked: list[str]) -> None:
    """A restart that was sent is not sent twice; settings that were put may well be."""
    lost = httpx.ReadTimeout("late")
    info = {"name": "a", "config": {}, "tasks": [], "type": "sink"}
    east = client(by_host(one=lost, two=httpx.Response(200, json=info)), asked)
    error = await told(east.restart("a", include_tasks=True, only_failed=True))
    assert not error.retriable
    assert "whether it was done is not known. Look first: ccr connect list --on east" in str(error)
    assert len(asked) == 1
    await east.put_settings("a", {})
    assert [each.split()[0] for each in asked] == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (409, BUSY["message"]),
        (500, "IO Error trying to forward REST request: java.net.ConnectException"),
        (500, "Request cannot be completed because a rebalance is expected"),
    ],
)
async def test_a_rebalance_is_waited_for(
    status: int, message: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE_S", 0.0)
    answers = iter([(status, {"message": message})] * 3 + [(200, [])])

    def handler(_: httpx.Request) -> httpx.Response:
        code, body = next(answers)
        return httpx.Response(code, json=body)

    assert await client(handler, asked).names() == ()
    assert len(asked) == 4


async def test_but_not_for_ever(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE_S", 0.0)
    busy = client(lambda _: httpx.Response(409, json=BUSY), asked, clock=Clock(step=10.0))
    error = await told(busy.pause("a"))
    assert isinstance(error, RefusedError)
    assert error.retriable
    assert "east has been rebalancing for 30 s (Cannot complete request" in str(error)
    assert len(asked) == 4


async def test_a_name_that_is_taken_is_no_rebalance(asked: list[str]) -> None:
    taken = {"message": "Connector a already exists"}
    east = client(lambda _: httpx.Response(409, json=taken), asked)
    error = await told(east.create("a", {}))
    assert str(error) == "creating connector a: Connector a already exists"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("response", "class_", "words"),
    [
        (httpx.Response(401, text="no"), ConnectError, "(HTTP 401). Check connect.east.auth"),
        (httpx.Response(403, json={"message": "no"}), ConnectError, "(HTTP 403)"),
        (httpx.Response(404, json={"message": "Connector a not found"}), RefusedError,
         "Connector a not found. What there is: ccr connect list --on east"),
        (httpx.Response(404, json={"message": "Unknown plugin X"}), RefusedError,
         "Unknown plugin X. What there is: ccr connect plugins --on east"),
        (httpx.Response(404, text="<html>nginx"), ConnectError,
         "http://one:8083/connectors/a answers HTTP 404 without Connect's JSON"),
        (httpx.Response(200, text="<html>Welcome"), ConnectError, "Is connect.east.urls a Connect"),
        (httpx.Response(302, headers={"location": "http://login"}), ConnectError, "HTTP 302"),
        (httpx.Response(400, json={"message": "two\n  lines"}), KafkaError, "two lines (HTTP 400)"),
        (httpx.Response(200, json={"config": {}}), KafkaError, "Connect's: name Field required"),
        (httpx.Response(200, json=[1]), KafkaError, "the worker's answer is not Connect's"),
    ],
)  # fmt: skip
async def test_what_else_workers_say(
    response: httpx.Response, class_: type[CcrError], words: str, asked: list[str]
) -> None:
    error = await told(client(lambda _: response, asked).connector("a"))
    assert type(error) is class_
    assert words in str(error)


async def test_names_are_quoted_and_query_is_kept(asked: list[str]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={} if "expand" in str(request.url) else [])

    east = client(handler, asked)
    await east.tasks("a/b c?")
    await east.connectors()
    assert asked == [
        "GET http://one:8083/connectors/a%2Fb%20c%3F/tasks",
        "GET http://one:8083/connectors?expand=info&expand=status",
    ]


def test_unknown_fields_are_kept_and_settings_are_not_shown() -> None:
    found = Connector.model_validate(
        {"name": "a", "config": {"db.password": "hunter2"}, "tasks": [], "new": {"x": "hunter2"}}
    )
    assert found.model_dump()["new"] == {"x": "hunter2"}
    assert json.loads(found.model_dump_json())["new"] == {"x": "hunter2"}
    assert repr(found) == "Connector(name='a', tasks=(), type='')"


@pytest.fixture(autouse=True)
def _no_real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_LONGEST_PAUSE_S", 0.01)
