"""A connector as people hand it over."""

from __future__ import annotations

import json

import pytest

from engine.connect.inputs import parse
from engine.errors import ConfigError

CONFIG = {"connector.class": "FileStreamSink", "tasks.max": "2", "topics": "orders"}
BODY = json.dumps({"name": "out", "config": CONFIG})
BY_URL = (
    f"curl -sX PUT http://c:8083/connectors/by%20url/config \\\n  --data-raw '{json.dumps(CONFIG)}'"
)
PLAIN = "".join(f"{key}={value}\n" for key, value in CONFIG.items())


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (BODY, "out"),
        ("\ufeff" + BODY, "out"),
        (json.dumps({"config": {**CONFIG, "name": "inner"}}), "inner"),
        (json.dumps({**CONFIG, "tasks.max": 2, "name": "flat"}), "flat"),
        (json.dumps(CONFIG), ""),
        (f"# a comment\nname=props\n{PLAIN}", "props"),
        (f"curl -X POST -H 'Content-Type: application/json' http://c:8083/connectors -d '{BODY}'",
         "out"),
        (BY_URL, "by url"),
        (f"curl --data='{BODY}' http://c:8083/connectors", "out"),
        (f"curl -d'{BODY}' http://c:8083/connectors", "out"),
    ],
)  # fmt: skip
def test_every_form(content: str, name: str) -> None:
    given = parse(content, "f")
    assert given.name == name
    assert {key: given.settings[key] for key in CONFIG} == CONFIG


def test_values_become_text_and_null_stays() -> None:
    given = parse('{"name": "a", "config": {"n": 1.5, "b": true, "none": null}}', "f")
    assert given.settings == {"n": "1.5", "b": "true", "none": None}


def test_initial_state() -> None:
    body = {"name": "a", "config": CONFIG, "initial_state": "STOPPED"}
    assert parse(json.dumps(body), "f").initial_state == "STOPPED"
    with pytest.raises(ConfigError, match="initial_state is none of RUNNING, PAUSED, STOPPED"):
        parse(json.dumps({**body, "initial_state": "hunter2"}), "f")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "it is empty"),
        ("[1]", "it is not one connector"),
        ('{"name": "a",\n "config": {,}}', "line 2: it is no JSON"),
        ('{"name": "a", "config": {"x": ["hunter2"]}}', "x is no single value"),
        ("password=hunter2\n", "it has no connector.class"),
        ("name=a\nx=\\u12\n", "line 2 has a"),
        ("curl http://c:8083/connectors", "no --data"),
        ("curl http://c:8083 -d 'hunter2", "a quote of the curl command is not closed"),
        ("curl http://c:8083 -d @body.json", "sends the file body.json; give that one"),
    ],
)
def test_what_is_none(content: str, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause) as wrong:
        parse(content, "given.txt")
    assert "given.txt" in str(wrong.value)
    assert "hunter2" not in f"{wrong.value}{wrong.value!r}"


def test_settings_are_not_in_a_repr() -> None:
    assert "FileStreamSink" not in repr(parse(BODY, "f"))
