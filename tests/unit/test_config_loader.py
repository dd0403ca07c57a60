"""What a good configuration file becomes, and what its owner is warned about."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.config.cluster_section import ClusterConfig, SaslConfig, SaslMechanism, SecurityProtocol
from engine.config.flow_section import FlowConfig, StartAt, StartOffset, StartTimestamp
from engine.config.loader import load, read
from engine.config.locations import find
from engine.config.model import Config
from engine.config.problems import InvalidConfigError
from engine.config.secrets import SecretRef
from engine.errors import ConfigError
from engine.service.paths import service_paths

MINIMAL = """
version: 1
clusters:
  a: {bootstrap_servers: ['a:9092']}
  b: {bootstrap_servers: ['b:9092']}
flows:
  a-to-b: {source: a, target: b}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ccr.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def flow_of(folder: Path, keys: str) -> FlowConfig:
    return load(write(folder, MINIMAL.replace("target: b", f"target: b, {keys}"))).flows["a-to-b"]


def test_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL))
    flow = config.flows["a-to-b"]
    assert config.clusters["a"].security_protocol is SecurityProtocol.PLAINTEXT
    assert flow.topics.include == [".*"]
    assert flow.start is StartAt.EARLIEST
    assert (flow.topic_refresh, flow.checkpoint_interval) == (5.0, 1.0)
    assert flow.limits.bytes_per_second is None
    assert flow.limits.buffer_bytes == 33_554_432


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("latest", StartAt.LATEST),
        ("{offset: 7}", StartOffset(offset=7)),
        (
            "{timestamp: 2026-11-01T02:00:00+02:00}",
            StartTimestamp(timestamp=datetime(2026, 11, 1, tzinfo=UTC)),
        ),
        (
            "{timestamp: '2026-11-01T00:00:00Z'}",
            StartTimestamp(timestamp=datetime(2026, 11, 1, tzinfo=UTC)),
        ),
    ],
)
def test_every_form_of_start(tmp_path: Path, text: str, start: object) -> None:
    assert flow_of(tmp_path, f"start: {text}").start == start


@pytest.mark.parametrize(
    ("text", "size"),
    [("50MiB", 52_428_800), ("1.5 kB", 1500), ("4096", 4096), ("2GB", 2 * 10**9)],
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    limits = flow_of(tmp_path, f"limits: {{bytes_per_second: {text}}}").limits
    assert limits.bytes_per_second == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2.0), ("1min", 60.0), ("7", 7.0), ("1h", 3600.0)]
)
def test_times(tmp_path: Path, text: str, seconds: float) -> None:
    assert flow_of(tmp_path, f"topic_refresh: {text}").topic_refresh == seconds


def test_relative_paths_start_at_the_file_wherever_ccr_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(
        folder,
        """
version: 1
clusters:
  a:
    bootstrap_servers: ['a:9092']
    security_protocol: SASL_SSL
    sasl: {mechanism: PLAIN, username: ccr, password: 'file:secret/a'}
    tls: {ca: ca.pem, certificate: /abs/c.pem, key: ~/c.key}
""",
    )
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.chdir(tmp_path)
    cluster = load(Path("etc/ccr.yaml")).clusters["a"]
    assert cluster.tls.ca == str(folder / "ca.pem")
    assert cluster.tls.certificate == "/abs/c.pem"
    assert cluster.tls.key == "/home/ops/c.key"
    assert cluster.sasl is not None
    assert cluster.sasl.password == SecretRef(f"file:{folder}/secret/a")


def test_anchors_and_merges(tmp_path: Path) -> None:
    config = load(
        write(
            tmp_path,
            """
version: 1
clusters:
  a: &login
    bootstrap_servers: ['a:9092']
    security_protocol: SASL_PLAINTEXT
    sasl: {mechanism: PLAIN, username: ccr, password: env:P}
  b:
    <<: *login
    bootstrap_servers: ['b:9092']
""",
        )
    )
    assert config.clusters["b"].bootstrap_servers == ["b:9092"]
    assert config.clusters["b"].sasl == config.clusters["a"].sasl


def test_a_merged_problem_is_told_where_it_stands(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "version: 1\nclusters:\n  a: &a\n    bootstrap_servers: ['a:1']\n    environment: prod\n"
        "  b: {<<: *a}\n",
    )
    with pytest.raises(InvalidConfigError) as caught:
        read(path)
    told = [(problem.key, problem.line) for problem in caught.value.problems]
    assert told == [("clusters.a.environment", 5), ("clusters.b.environment", 5)]


PLAIN_TEXT = """
version: 1
allow_plaintext_secrets: true
clusters:
  a:
    bootstrap_servers: ['a:9092']
    security_protocol: SASL_SSL
    sasl: {mechanism: PLAIN, username: ccr, password: hunter2}
"""


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_plain_text_that_others_can_read_is_warned_about(
    tmp_path: Path, mode: int, *, warned: bool
) -> None:
    path = write(tmp_path, PLAIN_TEXT)
    path.chmod(mode)
    warnings = [str(warning) for warning in read(path).warnings]
    told = f"{path}:8: clusters.a.sasl.password: is plain text in a file that others can read"
    assert warnings == ([f"{told}; run chmod 600"] if warned else [])


async def test_plain_text_that_is_allowed_is_the_secret(tmp_path: Path) -> None:
    sasl = load(write(tmp_path, PLAIN_TEXT)).clusters["a"].sasl
    assert sasl is not None
    assert (await sasl.password.resolve(what="a")).get_secret_value() == "hunter2"


def test_load_logs_the_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, PLAIN_TEXT)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        load(path)
    assert [record.getMessage() for record in caplog.records] == [str(read(path).warnings[0])]
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("flows", "warned"),
    [
        ({"x": "a b", "y": "b a"}, []),
        ({"x": "a b any", "y": "b a"}, []),
        ({"x": "a b any", "y": "b a any"}, [("flows.x", "circle with y,")]),
        ({"x": "a b any", "y": "b c any", "z": "c a any"}, [("flows.x", "circle with y, z,")]),
        ({"x": "a b any", "y": "b c", "z": "c a any"}, []),
        ({"x": "a b any", "y": "b c any", "z": "a c any"}, []),
        ({"x": "a b any", "x2": "a b any"}, []),
        ({"x": "a b prefix", "y": "b a prefix"}, []),
        ({"x": "a b prefix", "y": "b a"}, []),
        ({"x": "a b prefix", "y": "b a any"}, [("flows.y", "circle with x,")]),
    ],
)
def test_circles_are_warned_about_once(
    tmp_path: Path, flows: dict[str, str], warned: list[tuple[str, str]]
) -> None:
    text = MINIMAL.replace("flows:\n  a-to-b: {source: a, target: b}\n", "")
    text += "  c: {bootstrap_servers: ['c:9092']}\nflows:\n"
    for name, ends in flows.items():
        source, target, *more = ends.split()
        setting = (
            {"any": ", origin: any", "prefix": ", rename: prefix"}["".join(more)] if more else ""
        )
        text += f"  {name}: {{source: {source}, target: {target}{setting}}}\n"
    warnings = read(write(tmp_path, text)).warnings
    assert [warning.key for warning in warnings] == [key for key, _ in warned]
    assert all(part in warning.text for warning, (_, part) in zip(warnings, warned, strict=True))


def test_a_config_that_is_built_in_code_needs_no_file() -> None:
    sasl = SaslConfig(
        mechanism=SaslMechanism.PLAIN, username="ccr", password=SecretRef("plain text")
    )
    cluster = ClusterConfig(
        bootstrap_servers=["127.0.0.1:9092"],
        security_protocol=SecurityProtocol.SASL_PLAINTEXT,
        sasl=sasl,
    )
    config = Config(version=1, clusters={"a": cluster})
    assert "plain text" not in repr(config).replace("plain text, hidden", "")
    assert "plain text, hidden" in config.model_dump_json()


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(PLAIN_TEXT,))
    writer.start()
    loaded = read(pipe)
    writer.join()
    assert loaded.warnings == ()
    assert list(loaded.config.clusters) == ["a"]


@pytest.mark.parametrize(
    ("server", "protocol", "sasl", "warned"),
    [
        ("k:1", "SASL_PLAINTEXT", "PLAIN", ["sends the password unencrypted; use SASL_SSL"]),
        ("k:1", "SASL_SSL", "PLAIN", []),
        ("k:1", "SASL_PLAINTEXT", "SCRAM-SHA-512", []),
        ("127.0.0.1:1", "SASL_PLAINTEXT", "PLAIN", []),
        ("'[::1]:1'", "SASL_PLAINTEXT", "PLAIN", []),
        ("k:1", "SASL_PLAINTEXT", "http://idp.example/t", ["sends the token", "use https"]),
        ("k:1", "SASL_SSL", "http://idp.example/t", ["gets the client secret unencrypted"]),
        ("k:1", "SASL_SSL", "http://localhost:8080/t", []),
        ("k:1", "SASL_SSL", "https://idp.example/t", []),
    ],
)
def test_secrets_that_travel_in_the_clear_are_warned_about(
    tmp_path: Path, server: str, protocol: str, sasl: str, warned: list[str]
) -> None:
    login = f"mechanism: {sasl}, username: ccr, password: env:P"
    if sasl.startswith("http"):
        login = (
            f"mechanism: OAUTHBEARER, token_endpoint: '{sasl}', client_id: c, client_secret: env:P"
        )
    text = (
        "version: 1\nclusters:\n  a:\n"
        f"    bootstrap_servers: [{server}]\n    security_protocol: {protocol}\n"
        f"    sasl: {{{login}}}\n"
    )
    warnings = read(write(tmp_path, text)).warnings
    assert len(warnings) == len(warned)
    assert all(part in each.text for part, each in zip(warned, warnings, strict=True))


@pytest.mark.parametrize("line", ["tls: {ca: ~nosuchuser/ca.pem}", "{sasl}"])
def test_the_home_of_nobody_is_a_problem_with_its_line(tmp_path: Path, line: str) -> None:
    sasl = "sasl: {mechanism: PLAIN, username: ccr, password: 'file:~nosuchuser/secret'}"
    text = (
        "version: 1\nclusters:\n  a:\n    bootstrap_servers: [k:1]\n"
        f"    security_protocol: {'SASL_SSL' if line == '{sasl}' else 'SSL'}\n"
        f"    {sasl if line == '{sasl}' else line}\n"
    )
    with pytest.raises(InvalidConfigError) as caught:
        read(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.line == 6
    assert problem.text == "begins at the home of a user that this host does not have"


def test_a_configuration_in_the_home_of_nobody_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"~nosuchuser/c\.yaml: there is no such file"):
        read(Path("~nosuchuser/c.yaml"))
    monkeypatch.setenv("CCR_CONFIG", "~nosuchuser/c.yaml")
    with pytest.raises(ConfigError, match="there is no such file"):
        find(None)
    monkeypatch.setenv("CCR_RUNTIME_DIR", "~nosuchuser/run")
    assert service_paths("~nosuchuser/c.yaml").socket.parent.name == "run"


@pytest.mark.parametrize(
    ("url", "auth", "warned"),
    [
        ("http://c:8083", "{username: a, password: env:P}", ["gets the login unencrypted"]),
        ("http://c:8083", "{token: env:T}", ["gets the login unencrypted"]),
        ("http://c:8083", "null", []),
        ("http://127.0.0.1:8083", "{token: env:T}", []),
        ("https://c:8083/", "{token: env:T}", []),
    ],
)
def test_logins_for_connect_in_the_clear(
    url: str, auth: str, warned: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "ccr.yaml"
    connect = f"connect: {{c: {{urls: ['{url}'], auth: {auth}}}}}"
    path.write_text(f"{PLAIN_TEXT}\n{connect}\n")
    path.chmod(0o600)
    loaded = read(path)
    assert loaded.config.connect["c"].urls == [url.rstrip("/")]
    assert [each.key for each in loaded.warnings] == ["connect.c.urls[0]"] * len(warned)
    for text, warning in zip(warned, loaded.warnings, strict=True):
        assert text in warning.text
