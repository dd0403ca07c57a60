"""Secrets in connectors' settings: hidden where shown, as they are where written."""

from __future__ import annotations

import pytest

from engine.connect.hiding import HIDDEN, hidden_in, put_back, shown
from engine.connect.models import Settings
from engine.errors import RefusedError

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("file", "/tmp/out.txt", "/tmp/out.txt"),
        ("connection.password", "hunter2", HIDDEN),
        ("connection.password", "${file:/etc/s.properties:pw}", "${file:/etc/s.properties:pw}"),
        ("connection.password", "x${file:/etc/s.properties:pw}", HIDDEN),
        ("connection.password", "", ""),
        ("aws.secret.access.key", "hunter2", HIDDEN),
        ("value.converter.basic.auth.user.info", "u:hunter2", HIDDEN),
        ("told", "hunter2", HIDDEN),  # the plugin says that it is a password
        ("connection.url", "jdbc:pg://ccr:hunter2@db/x", f"jdbc:pg://ccr:{HIDDEN}@db/x"),
        ("connection.url", "jdbc:pg://db/x?password=hunter2&a=b",
         f"jdbc:pg://db/x?password={HIDDEN}&a=b"),
        ("a.sasl.jaas.config", f'{LOGIN} username="u" password="hunter2";',
         f'{LOGIN} username="u" password="{HIDDEN}";'),
        ("a.sasl.jaas.config", f"{LOGIN} username=u password=hunter2;",
         f'{LOGIN} username=u password="{HIDDEN}";'),
        ("a.sasl.jaas.config", f'{LOGIN} username="u" password="${{env:PW}}";',
         f'{LOGIN} username="u" password="${{env:PW}}";'),
        ("a.sasl.jaas.config", "${file:/etc/s.properties:jaas}", "${file:/etc/s.properties:jaas}"),
        ("a.sasl.jaas.config", "something else", HIDDEN),
    ],
)  # fmt: skip
def test_what_is_shown_of_a_value(key: str, value: str, wanted: str) -> None:
    assert shown({key: value}, {"told"}) == {key: wanted}


def test_what_was_hidden_stays_as_it_is() -> None:
    current: Settings = {
        "file": "a",
        "db.password": "hunter2",
        "url": "db://u:hunter2@h",
        "jaas.config": f'{LOGIN} password="hunter2";',
    }
    edited = {**shown(current), "file": "b"}
    assert put_back("c", edited, current) == {**current, "file": "b"}
    assert put_back("c", {"db.password": "new"}, current) == {"db.password": "new"}


@pytest.mark.parametrize(
    "given",
    [
        {"other.password": HIDDEN},
        {"url": f"db://other:{HIDDEN}@h"},
        {"db.password": f"{HIDDEN}x"},
    ],
)
def test_what_is_hidden_and_unknown_is_not_written(given: Settings) -> None:
    current: Settings = {"db.password": "hunter2", "url": "db://u:hunter2@h"}
    with pytest.raises(RefusedError, match=r"is hidden.*not as it is now") as refused:
        put_back("c", given, current)
    assert "hunter2" not in str(refused.value)


def test_a_workers_message_is_shown_without_the_secrets() -> None:
    settings: Settings = {
        "db.password": "hunter2",
        "url": "db://u:0ther-pw@h",
        "tolerance": "none",
        "jaas.config": f'{LOGIN} password="third-pw";',
        "plugins.own": "f0urth",
        "short.password": "on",
    }
    message = "none of hunter2, 0ther-pw, third-pw, f0urth goes on"
    found = hidden_in(message, settings, secret={"plugins.own"})
    assert found == f"none of {HIDDEN}, {HIDDEN}, {HIDDEN}, {HIDDEN} goes on"
