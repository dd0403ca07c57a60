"""Imported files at work: the two seeds on real clusters, and our parser beside Java's own."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from ccr_tui.cli.main import main
from engine.api.snapshots import EngineMode
from engine.config.loader import load
from engine.engine import Engine
from engine.importing import properties
from engine.sandbox import ClusterSpec, Listener, Sandbox, Security
from engine.sandbox.java import JavaKit
from tests.kafka.engines import create, producer, read, until
from tests.kafka.java_class import MainClass
from tests.kafka.samples import SAMPLES

pytestmark = pytest.mark.kafka

USERS = {"source-user": "source-password", "dest-user": "dest-password"}
RECORDS = [(f"key-{number}".encode(), f"value-{number}".encode()) for number in range(200)]


@pytest.fixture(scope="module")
def as_the_seeds_say(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """SASL_SSL with PLAIN and the seeds' users; three brokers, as one wants three replicas."""
    security = Security(tls=True, sasl=("PLAIN",), users=USERS)
    clusters = {
        "source": ClusterSpec(security=security, heap="192m"),
        "target": ClusterSpec(security=security, heap="192m", brokers=3),
    }
    made = Sandbox(tmp_path_factory.mktemp("importing"), clusters, ephemeral=True)
    asyncio.run(made.up())
    try:
        asyncio.run(_with_records(made))
        yield made
    finally:
        asyncio.run(made.down())


async def _with_records(sandbox: Sandbox) -> None:
    await create(sandbox, "source-topic", 3, cluster="source")
    async with producer(sandbox, "source") as plain:
        sent = [await plain.send("source-topic", value, key=key) for key, value in RECORDS]
        await asyncio.gather(*sent)


@pytest.mark.parametrize(
    ("name", "mirror"), [("mm2", "source.source-topic"), ("replicator", "source-topic")]
)
async def test_a_seed_is_imported_and_its_records_arrive(
    name: str, mirror: str, as_the_seeds_say: Sandbox, tmp_path: Path
) -> None:
    sandbox = as_the_seeds_say
    path = tmp_path / "ccr.yaml"
    sets = [
        f"--set=clusters.{cluster}.{key}={value}"
        for cluster in ("source", "target")
        for key, value in (
            ("bootstrap_servers", sandbox.bootstrap(cluster, Listener.SASL_TLS)),
            ("tls.ca", sandbox.authority.file),
        )
    ]
    file = str(SAMPLES / f"{name}.properties")
    secrets = ["--secret-files", str(tmp_path / "secrets")]
    imported = await asyncio.to_thread(
        main, ["import", file, "--output", str(path), *secrets, *sets]
    )
    assert imported == 0
    assert main(["validate", str(path)]) == 0
    engine = Engine(load(path), config_path=str(path), mode=EngineMode.SERVICE)
    await engine.start()
    try:
        (flow,) = engine.snapshot().flows
        await until(
            lambda: engine.flow(flow.name).snapshot().records_total >= len(RECORDS),
            "all records are acknowledged",
        )
        assert await _content(sandbox, "target", mirror) == await _content(
            sandbox, "source", "source-topic"
        )
    finally:
        await engine.stop(10)


async def _content(sandbox: Sandbox, cluster: str, topic: str) -> list[tuple[object, ...]]:
    found = await read(sandbox, cluster, topic)
    assert len(found) == len(RECORDS)
    return [(each.partition, each.key, each.value, each.timestamp) for each in found]


SEPARATOR = "==== next"


def loaded_by_java(folder: Path, contents: list[bytes]) -> list[dict[str, str]]:
    """Have Kafka's own `Utils.loadProps` read files, and Java write what it read."""
    kit = asyncio.run(JavaKit.resolve())
    program = MainClass("Loading")
    for number, content in enumerate(contents):
        path = folder / f"{number}.properties"
        path.write_bytes(content)
        program.text(str(path))
        program.static(
            "org/apache/kafka/common/utils/Utils",
            "loadProps",
            "(Ljava/lang/String;)Ljava/util/Properties;",
        )
        program.out()
        program.text("")
        program.virtual(
            "java/util/Properties", "store", "(Ljava/io/OutputStream;Ljava/lang/String;)V"
        )
        program.out()
        program.text(SEPARATOR)
        program.printed()
    (folder / "Loading.class").write_bytes(program.file())
    jars = ":".join([str(folder), *map(str, kit.jars)])
    command = [str(kit.java), "-XX:TieredStopAtLevel=1", "-cp", jars, "Loading"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    parts = done.stdout.split(f"{SEPARATOR}\n")[:-1]
    return [dict(map(_stored, _lines(part))) for part in parts]


def _lines(stored: str) -> list[str]:
    return [line for line in stored.splitlines() if line and not line.startswith("#")]


def _stored(line: str) -> tuple[str, str]:
    """Read a line as `Properties.store` writes it: odd characters are escaped, no lines joined."""
    found = re.fullmatch(r"((?:\\.|[^\\=])*)=(.*)", line)
    assert found is not None, line
    return _plain(found[1]), _plain(found[2])


def _plain(text: str) -> str:
    def character(escape: re.Match[str]) -> str:
        if escape[1]:
            return chr(int(escape[1], 16))
        return {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(escape[2], escape[2])

    plain = re.sub(r"\\(?:u([0-9A-F]{4})|(.))", character, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


PIECES = st.sampled_from(
    ["a", "b", "#", "!", "=", ":", " ", "\t", "\f", "\n", "\r", "\r\n", "\\", "\\\\", "\\\n", "u",
     "\\u00e9", "\\ud83d\\ude00", "\u00e9", "\x85", "\x1c", "\x0b", "\x00", "n", "->", ".", "$"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=14).map("".join)


@settings(
    max_examples=5,
    phases=[Phase.generate],  # the text that differs is told; making it shorter takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(TEXTS, min_size=150, max_size=150))
def test_properties_are_read_as_java_reads_them(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    contents, ours = [], []
    for text in texts:
        content = text.encode("latin-1")
        try:
            found = properties.parse(content)
        except properties.MalformedError:
            continue  # Java ends there, too: tests/unit/test_importing_parts.py
        contents.append(content)
        ours.append({each.key: each.value for each in found})
    assume(contents)
    theirs = loaded_by_java(tmp_path_factory.mktemp("properties"), contents)
    for content, mine, java in zip(contents, ours, theirs, strict=True):
        assert mine == java, content
