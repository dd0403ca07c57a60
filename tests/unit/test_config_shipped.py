"""What ships beside the model keeps in step with it: schema, samples, starter, documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from engine.config.loader import load, read
from engine.config.schema import FILE_NAME, schema_text
from tests.unit.config_fields import (
    SAMPLES,
    all_keys_used,
    field_paths,
    starter_with_all_keys,
)

CONFIGS = sorted(path.name for path in SAMPLES.glob("*.yaml"))
DOCS = Path(__file__).parents[2] / "docs" / "config.md"


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    content = json.loads((SAMPLES / FILE_NAME).read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


def as_json(text: str) -> Any:
    """Read YAML as an editor's schema check sees it: times are texts."""
    return json.loads(json.dumps(yaml.safe_load(text), default=lambda value: value.isoformat()))


def test_the_shipped_schema_is_the_models() -> None:
    assert (SAMPLES / FILE_NAME).read_text() == schema_text()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sample_is_valid_without_warnings(
    name: str, schema: jsonschema.Draft202012Validator
) -> None:
    path = SAMPLES / name
    assert read(path).warnings == ()
    schema.validate(as_json(path.read_text()))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sample_names_its_schema_for_editors(name: str) -> None:
    first = (SAMPLES / name).read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={FILE_NAME}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("version",), 2),
        (("clusters", "primary", "sasl", "mechanism"), "GSSAPI"),
        (("clusters", "primary", "sasl", "pasword"), "x"),
        (("clusters", "not a name"), {"bootstrap_servers": ["a:1"]}),
        (("flows", "primary-to-dr", "start"), "yesterday"),
        (("flows", "primary-to-dr", "limits", "bytes_per_second"), "50 megs"),
        (("flows", "primary-to-dr", "limits", "connections"), 99),
        (("flows", "primary-to-dr", "topics", "include"), []),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(
    schema: jsonschema.Draft202012Validator, path: tuple[str, ...], value: object, tmp_path: Path
) -> None:
    data = all_keys_used()
    schema.validate(as_json(yaml.safe_dump(data)))
    section = data
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    text = yaml.safe_dump(data)
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(as_json(text))
    (tmp_path / "ccr.yaml").write_text(text)
    with pytest.raises(Exception, match=path[-1]):
        load(tmp_path / "ccr.yaml")


def test_every_key_of_the_schema_says_what_it_means() -> None:
    sections = [json.loads(schema_text())]
    sections += sections[0]["$defs"].values()
    for section in sections:
        for key, field in section.get("properties", {}).items():
            assert field.get("description"), key


def test_the_starter_shows_every_key_and_stays_valid_with_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "ccr.yaml"
    path.write_text(starter_with_all_keys())
    assert read(path).warnings == ()
    shown = set(re.findall(r"([a-z0-9_]+):", starter_with_all_keys()))
    missing = {path for path in field_paths() if path.rpartition(".")[2] not in shown}
    assert missing == set()


def test_the_starters_shown_values_are_the_defaults_where_it_says_so(tmp_path: Path) -> None:
    """A shown key without a word on it is the default; switching it on changes nothing."""
    shown, plain = tmp_path / "shown.yaml", SAMPLES / "starter.yaml"
    shown.write_text(starter_with_all_keys())
    flow, default = (load(path).flows["primary-to-dr"] for path in (shown, plain))
    for key in ("rename", "start", "isolation", "topic_refresh", "checkpoint_interval"):
        assert getattr(flow, key) == getattr(default, key), key
    assert flow.limits.buffer_bytes == default.limits.buffer_bytes
    assert flow.limits.connections == default.limits.connections


def test_the_documentation_has_exactly_the_models_keys() -> None:
    keys, _, _ = DOCS.read_text().partition("## Applying a changed file")
    rows = re.findall(r"^\| `([\w.]+)` \|", keys, re.MULTILINE)
    assert sorted(rows) == sorted(field_paths())


def test_the_documentation_has_the_models_defaults() -> None:
    text = DOCS.read_text()
    rows = dict(re.findall(r"^\| `([\w.]+)` \| .*? \| (.*?) \| .*\|$", text, re.MULTILINE))
    for path, default in {
        "flows.NAME.rename": "`identity`",
        "flows.NAME.start": "`earliest`",
        "flows.NAME.isolation": "`read_committed`",
        "flows.NAME.topic_refresh": "`5s`",
        "flows.NAME.checkpoint_interval": "`1s`",
        "flows.NAME.limits.buffer_bytes": "`32MiB`",
        "flows.NAME.limits.connections": "`4`",
        "clusters.NAME.security_protocol": "`PLAINTEXT`",
        "clusters.NAME.environment": "`development`",
    }.items():
        assert rows[path] == default, path
