"""`engine.importing`: files as people write them, and what becomes of every key in them.

After a change that is meant, run with CCR_UPDATE_GOLDEN=1 and look at the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from ccr_tui.resources import sample_configs_dir
from engine.config import loader
from engine.errors import ConfigError
from engine.importing import files
from engine.importing.importer import import_file, import_settings
from engine.importing.ledger import HIDDEN
from engine.importing.report import FoundSecret, Imported, Outcome
from engine.importing.writing import yaml_text

GOLDEN = Path(__file__).parents[1] / "golden" / "importing"
FILES = sorted(GOLDEN.glob("*.properties")) + sorted(GOLDEN.glob("*.json"))


def imported(text: str, name: str = "mm2.properties") -> Imported:
    return import_settings(files.parsed(text.encode(), name))


def outcome(found: Imported, key: str) -> tuple[Outcome, str]:
    (row,) = [row for row in found.keys if row.key == key]
    return row.outcome, row.text


def told(found: Imported) -> str:
    rows = [
        f"{row.line or '-'} {row.outcome}: {row.key} = {row.value}\n"
        + (f"    to {row.into}\n" if row.into else "")
        + (f"    {row.text}\n" if row.text else "")
        for row in found.keys
    ]
    secrets = [f"secret {each.reference} of {each.key}\n" for each in found.secrets]
    return "".join([*rows, *secrets, "\n", yaml_text(found)])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_key_and_the_result_are_as_agreed(path: Path) -> None:
    found = told(import_file(path)).replace(str(GOLDEN), "")
    expected = path.with_name(f"{path.name}.told")
    if os.environ.get("CCR_UPDATE_GOLDEN"):
        expected.write_text(found)
    assert found == expected.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_results_are_valid_and_no_key_is_dropped(path: Path) -> None:
    found = import_file(path)
    config = loader.check(yaml_text(found), path.with_suffix(".yaml")).config
    assert set(config.clusters) == set(found.data["clusters"])  # type: ignore[call-overload]
    assert {each.key for each in files.read(path).settings} <= {row.key for row in found.keys}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_secret_is_told(path: Path) -> None:
    text = told(import_file(path)) + repr(import_file(path))
    for secret in ("trust-me-not", "s3cr3t", "hunter2", "eyJhbGci", "signs"):
        assert secret not in text


@pytest.mark.parametrize("name", ["mm2", "replicator"])
def test_the_sample_is_what_its_file_is_imported_as(name: str) -> None:
    folder = sample_configs_dir()
    found = import_file(folder / f"{name}.properties")
    assert yaml_text(found) == (folder / "imported" / f"{name}.yaml").read_text()


def test_the_seed_of_mirror_maker_lacks_what_starts_it_and_cannot_be_posted() -> None:
    found = import_file(sample_configs_dir() / "mm2.properties")
    result, text = outcome(found, "source->target.enabled")
    assert result is Outcome.DECISION
    assert "MirrorMaker 2 would replicate nothing" in text
    assert "cannot be posted" in outcome(found, "the file")[1]
    flow = loader.check(yaml_text(found), Path("x.yaml")).config.flows["source-to-target"]
    assert (flow.source, flow.target, flow.rename) == ("source", "target", "prefix")
    assert flow.topics.include == ["source-topic"]
    assert flow.sync.acls
    assert not flow.sync.groups


def test_secrets_are_kept_for_the_keyring_only() -> None:
    found = import_file(sample_configs_dir() / "replicator.properties")
    assert found.secrets[0] == FoundSecret(
        "src.kafka.sasl.jaas.config",
        ("clusters", "source", "sasl", "password"),
        "keyring:ccr-source/source-user",
        SecretStr("source-password"),
    )
    assert "source-password" not in told(found)
    assert "dest-password" not in told(found)


def mm2_keys() -> list[str]:
    """Return what MirrorMaker 2 of Kafka 4.2.0 knows, as its own ConfigDefs list it."""
    return (GOLDEN / "mm2-keys.txt").read_text().split()


@pytest.mark.parametrize("key", [key for key in mm2_keys() if key != "enabled"])
def test_every_setting_that_mirror_maker_knows_is_known(key: str) -> None:
    found = imported(f"clusters=a,b\na->b.enabled=true\na->b.{key}=1\n")
    assert "as far as it knows" not in outcome(found, f"a->b.{key}")[1]


@pytest.mark.parametrize("key", [key for key in mm2_keys() if key != "connector.class"])
def test_so_it_is_for_all_flows_and_for_a_cluster(key: str) -> None:
    found = imported(f"clusters=a,b\na->b.enabled=true\n{key}=1\na.{key}=1\n")
    for name in (key, f"a.{key}"):
        assert "as far as it knows" not in outcome(found, name)[1]


@pytest.mark.parametrize(
    ("java", "ours"),
    [
        (r"orders\\..*", r"orders\..*"),
        (r"\\Qa.b+c\\E.*", r"a\.b\+c.*"),
        (r"\\Qa.b", r"a\.b"),
        (r"(?<x>a)\\k<x>", r"(?P<x>a)(?P=x)"),
        (r"\\p{Alpha}+\\p{Digit}", "[A-Za-z]+[0-9]"),
        (r"[\\p{L}_]+", "[A-Za-z_]+"),
        (r"(?<!x)y", "(?<!x)y"),
        (r"a\\\\p{Alpha}", None),
        (r"\\p{Punct}", None),
        (r"[a-z&&[^b]]", None),
        (r"\\h", None),
    ],
)
def test_regexes_of_java(java: str, ours: str | None) -> None:
    found = imported(f"clusters=a,b\na->b.enabled=true\na->b.topics={java}\n")
    if ours is None:
        assert outcome(found, "a->b.topics")[0] is Outcome.REFUSED
        assert "flows" not in found.data
        assert found.left_out[0].name == "a-to-b"
    else:
        flow = loader.check(yaml_text(found), Path("x.yaml")).config.flows["a-to-b"]
        assert flow.topics.include == [ours]
        assert re.compile(flow.topics.include[0])


def test_a_flow_without_an_exclude_that_it_needs_is_not_made() -> None:
    found = imported("clusters=a,b\na->b.enabled=true\ntopics.exclude=keep, \\\\p{Punct}\n")
    assert "flows" not in found.data
    assert "#  a-to-b:" in yaml_text(found)
    assert outcome(found, "flow a-to-b")[0] is Outcome.DECISION


def test_what_is_said_twice_counts_the_last_time() -> None:
    found = imported("clusters=a,b\na->b.enabled=true\ntopics=x\ntopics=y\n")
    rows = [row for row in found.keys if row.key == "topics"]
    assert [(row.line, row.outcome) for row in rows] == [
        (3, Outcome.NO_COUNTERPART),
        (4, Outcome.TAKEN),
    ]
    assert "include: [y]" in yaml_text(found)


def test_what_a_connector_says_twice_is_told() -> None:
    kind = '"connector.class": "x.MirrorSourceConnector"'
    found = imported(f'{{{kind}, "topics": "x", "topics": "y"}}', "mirror.json")
    rows = [row.outcome for row in found.keys if row.key == "topics"]
    assert rows == [Outcome.NO_COUNTERPART, Outcome.TAKEN]
    assert "include: [y]" in yaml_text(found)


def test_names_of_clusters_may_have_dots() -> None:
    text = "clusters=us.east,us.west\nus.east->us.west.enabled=true\nus.east->us.west.topics=x\n"
    found = imported(f"{text}us.east.bootstrap.servers=a:1\nus.west->us.east.topics=y\n")
    config = loader.check(yaml_text(found), Path("x.yaml")).config
    assert config.flows["us.east-to-us.west"].topics.include == ["x"]
    assert config.clusters["us.east"].bootstrap_servers == ["a:1"]
    assert outcome(found, "us.west->us.east.topics")[1] == "of a flow that is not enabled"


def test_what_a_flow_says_counts_before_what_all_say() -> None:
    text = "clusters=a,b\na->b.enabled=true\ntopics=all\na->b.topics=mine\nb->a.enabled=true\n"
    config = loader.check(yaml_text(imported(text)), Path("x.yaml")).config
    assert config.flows["a-to-b"].topics.include == ["mine"]
    assert config.flows["b-to-a"].topics.include == ["all"]


def test_characters_beyond_ascii_are_read_as_kafka_reads_them_and_said_so() -> None:
    found = imported("clusters=a,b\na->b.enabled=true\ntopics=caf\u00e9\n")
    assert outcome(found, "the file's encoding")[0] is Outcome.DECISION
    assert 'include: ["caf' in yaml_text(found).replace("'", '"')


@pytest.mark.parametrize("secret", ["source.sasl.jass.config", "a.my.thing"])
def test_a_secret_under_a_misspelt_key_is_hidden(secret: str) -> None:
    line = f'{secret}=org.x.PlainLoginModule required username="u" password="pw-1";\n'
    found = imported(f"clusters=a,b\na->b.enabled=true\n{line}")
    (row,) = [row for row in found.keys if row.key == secret]
    assert row.value == HIDDEN
    assert "pw-1" not in told(found)


@pytest.mark.parametrize("key", ["a.client.pw", "my.api.key", "b.basic.auth", "x.license"])
def test_what_may_be_a_secret_by_its_name_is_hidden(key: str) -> None:
    found = imported(f"clusters=a,b\na->b.enabled=true\n{key}=pw-1\n")
    assert "pw-1" not in told(found)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "no settings"),
        ("# nothing\n", "no settings"),
        ("bootstrap.servers=x:1\n", "neither MirrorMaker 2's nor Replicator's"),
        ("a=\\u12", "line 1 has a \\u"),
        ('{"name": "x", "config": ', "no JSON"),
        ("[1]", "no connector"),
        ('{"connector.class": "x.FileStreamSource"}', "no connector that mirrors"),
        ('{"connector.class": "o.MirrorCheckpointConnector"}', "copies no records"),
        ('{"connector.class": "o.MirrorSourceConnector", "topics": ["a"]}', "no single value"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_cause(content: str, cause: str) -> None:
    with pytest.raises(ConfigError) as raised:
        imported(content)
    assert cause in raised.value.cause
    assert raised.value.exit_code == 2
