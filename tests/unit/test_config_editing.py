"""What an edit leaves of a file that people wrote, form by form."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engine.config.editing.editor import edited, new_text, values_of
from engine.config.editing.edits import HIDDEN, Edit, Put, Remove
from engine.config.loader import read
from engine.config.problems import InvalidConfigError
from engine.errors import ConfigError

FILE = """\
# who: the platform team
version: 1
clusters:   # all of them
  # general: reached through the bastion
  a: &base
    bootstrap_servers: [kafka-1:9092, 'kafka-2:9092']  # seeds
    environment: staging # tab\tand "quotes"
    # tls: {ca: /x}

  b:
    <<: *base
    read_only: true
  c: {bootstrap_servers: ["x:1"], environment: production} # on one line

flows:
  one:   # the first
    source: a
    target: b
    topics:
      # which
      include:
        - 'orders\\..*'   # all orders
        - payments      # money
      exclude: []
    limits: {
      bytes_per_second: 5MiB,  # the line to Frankfurt
      buffer_bytes: 1MiB
    }
    start: {timestamp: 2026-11-01T00:00:00Z}
# the end"""


def changed(*edits: Edit, text: str = FILE) -> tuple[list[str], list[str]]:
    """Return the lines that go, and those that come."""
    after = edited(text, edits, "ccr.yaml")
    before, now = text.splitlines(), after.splitlines()
    return [x for x in before if x not in now], [x for x in now if x not in before]


@pytest.mark.parametrize(
    ("edit", "gone", "come"),
    [
        (
            Put(("clusters", "c", "environment"), "staging"),
            ['  c: {bootstrap_servers: ["x:1"], environment: production} # on one line'],
            ['  c: {bootstrap_servers: ["x:1"], environment: staging} # on one line'],
        ),
        (
            Put(("clusters", "c", "bootstrap_servers"), ["x:1", "y:2"]),
            ['  c: {bootstrap_servers: ["x:1"], environment: production} # on one line'],
            ['  c: {bootstrap_servers: ["x:1", y:2], environment: production} # on one line'],
        ),
        (
            Put(("flows", "one", "topics", "include"), ["orders\\..*", ".*\\.eu", "payments"]),
            [],
            ["        - '.*\\.eu'"],
        ),
        (
            Put(("flows", "one", "topics", "include"), ["orders\\..*", "pay"]),
            ["        - payments      # money"],
            ["        - pay      # money"],
        ),
        (
            Remove(("flows", "one", "limits", "bytes_per_second")),
            ["      bytes_per_second: 5MiB,  # the line to Frankfurt"],
            [],
        ),
        (
            Put(("flows", "one", "limits", "connections"), 8),
            ["      buffer_bytes: 1MiB"],
            ["      buffer_bytes: 1MiB,", "      connections: 8"],
        ),
        (
            Put(("flows", "one", "start"), "latest"),
            ["    start: {timestamp: 2026-11-01T00:00:00Z}"],
            ["    start: latest"],
        ),
        (
            Put(("flows", "one", "topics", "exclude"), ["tmp"]),
            ["      exclude: []"],
            ["      exclude: [tmp]"],
        ),
        (Put(("read_only",), True), [], ["read_only: true"]),
        (
            Put(("connect", "east"), {"urls": ["https://connect.example:8083"]}),
            [],
            ["connect:", "  east:", "    urls: [https://connect.example:8083]"],
        ),
        (
            Remove(("clusters", "c")),
            ['  c: {bootstrap_servers: ["x:1"], environment: production} # on one line'],
            [],
        ),
    ],
    ids=lambda value: ".".join(value.path) if isinstance(value, Put | Remove) else "",
)
def test_only_the_lines_that_hold_the_value_change(
    edit: Edit, gone: list[str], come: list[str]
) -> None:
    assert changed(edit) == (gone, come)


def test_what_shares_a_value_keeps_it() -> None:
    gone, come = changed(Put(("clusters", "a", "environment"), "production"))
    assert gone == ['    environment: staging # tab\tand "quotes"']
    assert come == ['    environment: production # tab\tand "quotes"', "    environment: staging"]
    gone, come = changed(Put(("clusters", "b", "environment"), "production"))
    assert (gone, come) == ([], ["    environment: production"])


def test_what_takes_in_another_lets_go_of_it_where_it_cannot_have_all_of_it() -> None:
    gone, come = changed(Remove(("clusters", "b", "environment")))
    assert gone == ["    <<: *base"]
    assert come == ["    bootstrap_servers: [kafka-1:9092, kafka-2:9092]"]
    gone, come = changed(Put(("clusters", "a", "security_protocol"), "SSL"))
    assert gone == ["    <<: *base"]
    assert come == [
        "    security_protocol: SSL",
        "    bootstrap_servers: [kafka-1:9092, kafka-2:9092]",
        "    environment: staging",
    ]


def test_what_others_refer_to_is_not_removed() -> None:
    with pytest.raises(ConfigError, match=r"clusters\.a cannot be changed .* \(& and \*\)"):
        edited(FILE, [Remove(("clusters", "a"))], "ccr.yaml")


def test_the_last_entry_goes_and_another_comes() -> None:
    gone, come = changed(Remove(("flows", "one")))
    assert come == ["flows: {}"]
    assert "# the end" not in gone
    without = edited(FILE, [Remove(("flows", "one"))], "ccr.yaml")
    assert without.endswith("flows: {}\n# the end")
    both = {"source": "c", "target": "a"}
    again = edited(without, [Put(("flows", "two"), both)], "ccr.yaml")
    assert again.endswith("flows:\n  two:\n    source: c\n    target: a\n# the end")


def test_an_entry_that_is_put_back_with_one_field_changed_keeps_its_comments() -> None:
    entry = values_of(FILE, "ccr.yaml")["flows"]["one"]
    entry["target"] = "c"
    assert changed(Put(("flows", "one"), dict(reversed(entry.items())))) == (
        ["    target: b"],
        ["    target: c"],
    )


def test_order_is_kept_where_the_first_that_matches_counts() -> None:
    text = "flows:\n  x:\n    limits:\n      topics:\n        b: 1MiB # b\n        a: 2MiB\n"
    path = ("flows", "x", "limits", "topics")
    first = edited(text, [Put(path, {"c.*": "3MiB", "b": "1MiB", "a": "2MiB"})], "f")
    assert list(yaml.safe_load(first)["flows"]["x"]["limits"]["topics"]) == ["c.*", "b", "a"]
    assert "b: 1MiB # b" in first
    turned = edited(text, [Put(path, {"a": "2MiB", "b": "1MiB"})], "f")
    assert list(yaml.safe_load(turned)["flows"]["x"]["limits"]["topics"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a: 1", "a: 1\nflows:\n  x:\n    source: s"),
        ("a: 1\r\n", "a: 1\r\nflows:\r\n  x:\r\n    source: s\r\n"),
        ("# only\n", "# only\nflows:\n  x:\n    source: s\n"),
        ("", "flows:\n  x:\n    source: s\n"),
        ("---\na: 1\n...\n", "---\na: 1\nflows:\n  x:\n    source: s\n...\n"),
        ("{a: 1}\n", "{a: 1, flows: {x: {source: s}}}\n"),
        ("flows: # c\na: 1\n", "flows: # c\n  x:\n    source: s\na: 1\n"),
        ("flows: {}  # c\na: 1\n", "flows:  # c\n  x:\n    source: s\na: 1\n"),
        ("flows: null\n", "flows:\n  x:\n    source: s\n"),
        ("flows:\n   w:\n      b: 1\n", "flows:\n   w:\n      b: 1\n   x:\n      source: s\n"),
        ("flows: {w: {b: 1}}\n", "flows: {w: {b: 1}, x: {source: s}}\n"),
        ("flows:\n  x: {source: t} # c\n", "flows:\n  x: {source: s} # c\n"),
        ('flows:\n  "x": {"source":"t"}\n', 'flows:\n  "x": {"source":"s"}\n'),
        ("flows:\n x:\n  source: |\n   t\n  b: 1\n", "flows:\n x:\n  source: s\n  b: 1\n"),
        ("flows:\n  x:\n    source:\n      t\n", "flows:\n  x:\n    source:\n      s\n"),
    ],
)  # fmt: skip
def test_an_entry_goes_into_whatever_there_is(text: str, after: str) -> None:
    section = yaml.safe_load(text) or {}
    entry = (section.get("flows") or {}).get("x") or {}
    edits = [Put(("flows", "x"), {**entry, "source": "s"})]
    assert edited(text, edits, "ccr.yaml") == after


def test_a_file_that_cannot_be_read_is_not_edited() -> None:
    for text, told in (
        ("a: [1\n", "not closed"),
        ("a: 1\na: 2\n", "is there twice"),
        ("- a\n", "it is not a mapping"),
        ("a: !!python/none x\n", "YAML tag"),
    ):
        with pytest.raises(InvalidConfigError, match=told):
            edited(text, [Put(("b",), 1)], "ccr.yaml")


def test_edits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="version is no mapping"):
        edited(FILE, [Put(("version", "x"), 1)], "ccr.yaml")
    with pytest.raises(ConfigError, match="needs the path of a key"):
        edited(FILE, [Remove(())], "ccr.yaml")
    password = ("clusters", "a", "sasl", "password")
    with pytest.raises(ConfigError, match="no secret in the file that could stay"):
        edited(FILE, [Put(password, HIDDEN)], "ccr.yaml")
    assert edited(FILE, [Remove(("nothing", "like", "it"))], "ccr.yaml") == FILE


def test_a_secret_that_was_hidden_stays_as_it_is() -> None:
    text = "clusters:\n  a:\n    sasl: {mechanism: PLAIN, username: u, password: hunter2} # c\n"
    sasl = {"mechanism": "PLAIN", "username": "v", "password": HIDDEN}
    after = edited(text, [Put(("clusters", "a", "sasl"), sasl)], "ccr.yaml")
    assert after == text.replace("username: u", "username: v")


def test_a_new_file_is_valid(tmp_path: Path) -> None:
    data = {
        "version": 1,
        "clusters": {
            "east": {"bootstrap_servers": ["127.0.0.1:9092", "[::1]:9092"]},
            "west": {"bootstrap_servers": [f"kafka-{i}.example:9092" for i in range(9)]},
        },
        "flows": {"a": {"source": "east", "target": "west", "topics": {"include": ["a\\.'.*"]}}},
    }
    path = tmp_path / "ccr.yaml"
    path.write_text(new_text(data))
    assert yaml.safe_load(path.read_text()) == data
    config = read(path).config
    assert config.flows["a"].topics.include == ["a\\.'.*"]
    assert max(map(len, path.read_text().splitlines())) <= 100
