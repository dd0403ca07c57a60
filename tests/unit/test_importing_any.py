"""Whatever a file says: the result is valid, every key is told, and no secret is."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import loader
from engine.importing import files
from engine.importing.clusters import CLIENT_KEYS
from engine.importing.importer import import_settings
from engine.importing.mirror_flows import FLOW_KEYS, READER_KEYS
from engine.importing.writing import yaml_text

SECRET = "hunter2-is-secret"
OTHERS = (
    "topic.whitelist", "topic.regex", "topic.blacklist", "topic.rename.format", "offset.start",
    "topic.auto.create", "topic.timestamp.type", "provenance.header.enable", "tasks.max", "name",
    "offset.translator.tasks.max", "source.cluster.alias", "target.cluster.alias", "enabled",
    "dest.topic.replication.factor", "topic.poll.interval.ms", "src.value.converter", "x.y",
)  # fmt: skip
PREFIXES = (
    "",
    "a.",
    "b.",
    "a->b.",
    "b->a.",
    "a->c.",
    "a.consumer.",
    "b.producer.",
    "consumer.",
    "src.kafka.",
    "dest.kafka.",
    "source.",
    "target.",
    "source.cluster.",
    "target.cluster.",
    "src.consumer.",
    "producer.override.",
    "source.consumer.",
)
PLAIN, SCRAM, OAUTH = (
    f'org.apache.kafka.common.security.{name} required username="u" password="{SECRET}"'
    f' clientId="c" clientSecret="{SECRET}" odd="1";'
    for name in ("plain.PlainLoginModule", "scram.ScramLoginModule", "x.OAuthBearerLoginModule")
)
VALUES = (
    "", " ", "true", "FALSE", "yes", "0", "-1", "3", "600", "99999999999999999999", "a", "a,b",
    "[a-z", "a&&b", ".*", "\\Qx", "{", "x:1,y:2", "SSL://x:1", "nowhere", "PLAINTEXT", "SSL",
    "SASL_SSL", "SASL_PLAINTEXT", "PLAIN", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", "PEM", "JKS",
    "earliest", "latest", "read_committed", "${env:X}", "${file:/x:y}", "${topic}",
    "east.${topic}", "${topic}.x", "https://login.example/t", "both", "source",
    "org.x.IdentityReplicationPolicy", "org.x.DefaultReplicationPolicy", "org.x.Own",
    "io.x.AvroConverter", "\u00e9", "a\nb", "\x1b[31m", "- x: {y", PLAIN, SCRAM, OAUTH,
    PLAIN[:-1], SECRET,
)  # fmt: skip
KEYS = st.builds(
    str.__add__,
    st.sampled_from(PREFIXES),
    st.sampled_from([*CLIENT_KEYS, *FLOW_KEYS, *READER_KEYS, *OTHERS]),
)
SETTINGS = st.dictionaries(KEYS, st.sampled_from(VALUES), max_size=14)
KINDS = st.sampled_from(
    [
        {"clusters": "a,b", "a->b.enabled": "true"},
        {"clusters": "a, b,c,a,a b,a-b", "a->b.enabled": "true", "b->a.enabled": "true"},
        {"clusters": "a b"},
        {"connector.class": "x.ReplicatorSourceConnector"},
        {"connector.class": "x.MirrorSourceConnector"},
    ]
)


def belongs(key: str, value: str) -> bool:
    """Whether people would put a value there: secrets where secrets are."""
    return SECRET not in value or any(word in key for word in ("password", "secret", "jaas"))


@settings(max_examples=300)
@given(KINDS, SETTINGS)
def test_whatever_a_file_says(kind: dict[str, str], said: dict[str, str]) -> None:
    plain = {key: value for key, value in said.items() if belongs(key, value)}
    content = json.dumps({**plain, **kind}).encode()
    found = import_settings(files.parsed(content, "x.json"))
    text = yaml_text(found)
    config = loader.check(text, Path("x.yaml")).config
    assert len(config.clusters) >= 2 or "clusters" in kind
    assert {*plain, *kind} <= {row.key for row in found.keys}
    assert SECRET not in text + repr(found)
    assert SECRET not in "".join(f"{row.value}{row.text}{row.into}" for row in found.keys)
    assert all(row.text or row.into for row in found.keys)
    assert text.replace("\n", "").isprintable()
    for secret in found.secrets:
        assert secret.reference in text
