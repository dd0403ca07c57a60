"""Commands on real connectors: what is said of them is what the workers' status proves."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.connect.models import State
from engine.connect.proving import in_state
from engine.errors import KafkaError, RefusedError
from tests.connect.conftest import NEW_TOPICS, Site

pytestmark = pytest.mark.kafka
SECRET = "hunter2-of-the-mirror"


async def test_what_failed_restarts_when_its_cause_is_gone(site: Site) -> None:
    """And is not said to have, as long as it is not."""
    source, sink = site.name("source"), site.name("sink")
    folder = site.folder / "not-there-yet"
    await site.steering.apply(source, site.source(source), patch=False, initial_state=None)
    settings = site.sink(f"topic-{source}", folder / "out.txt", tasks=2)
    made = await site.steering.apply(sink, settings, patch=False, initial_state=None)
    assert made.text.startswith(f"{sink} is created; the connector is RUNNING, task 0, 1 FAILED: ")
    assert f"NoSuchFileException: {folder / 'out.txt'}" in made.text
    with pytest.raises(KafkaError, match=r"it failed again: task 0: .*; task 1: ") as failed:
        await site.steering.restart(sink, only_failed=True)
    assert failed.value.next_step == f"See: ccr connect trace {sink}"
    assert (await site.steering.stop(sink)).text == f"{sink} is STOPPED"
    with pytest.raises(
        KafkaError, match=r"resuming connector .*: the connector is RUNNING, task 0"
    ):
        await site.steering.resume(sink)
    with pytest.raises(KafkaError, match=r"the connector is PAUSED, task 0, 1 FAILED: "):
        await site.steering.pause(sink)
    with pytest.raises(KafkaError, match=r"the connector is RUNNING, task 0, 1 FAILED: "):
        await site.steering.resume(sink)
    folder.mkdir()
    result = await site.steering.restart(sink, only_failed=True)
    assert (result.changed, result.text) == (True, f"{sink} has restarted: task 0, task 1")
    assert in_state(await site.client.status(sink), State.RUNNING)
    again = await site.steering.restart(sink, only_failed=True)
    assert not again.changed
    assert again.text.startswith(f"{sink} is not restarted, nothing has failed")
    # sinks have Kafka's offsets; a new setting mends a connector as well
    broken = await site.steering.apply(
        sink, {"file": "/nowhere/out.txt"}, patch=True, initial_state=None
    )
    assert "FAILED" in broken.text
    mended = await site.steering.apply(
        sink, {"file": str(folder / "other.txt")}, patch=True, initial_state=None
    )
    assert mended.text == f"{sink} has 1 new setting; the connector is RUNNING, task 0, 1 RUNNING"


async def test_pause_resume_stop_and_offsets(site: Site) -> None:
    name = site.name("lines")
    await site.steering.apply(name, site.source(name), patch=False, initial_state="PAUSED")
    steering = site.steering
    assert not (await steering.pause(name)).changed
    assert (await steering.resume(name)).text == f"{name} is RUNNING"
    with pytest.raises(RefusedError, match=f"has to be STOPPED. .*ccr connect stop {name}"):
        await steering.reset_offsets(name)
    assert (await steering.stop(name)).text == f"{name} is STOPPED"
    assert (await site.client.status(name)).tasks == ()
    offsets = await site.client.offsets(name)
    if offsets:
        assert (await steering.reset_offsets(name)).changed
    assert await site.client.offsets(name) == ()
    assert not (await steering.reset_offsets(name)).changed
    assert "is deleted" in (await steering.delete(name)).text
    assert name not in await site.client.names()


async def test_a_mirror_of_mirror_maker(site: Site, tmp_path: Path) -> None:
    """MirrorMaker 2's connector mirrors; its passwords are hidden, references are shown."""
    lines, mirror = site.name("lines"), site.name("mirror")
    await site.steering.apply(lines, site.source(lines), patch=False, initial_state=None)
    brokers = site.sandbox.bootstrap("east")
    secrets = tmp_path / "secrets.properties"
    secrets.write_text(f"password={SECRET}\n")
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required username=ccr"
    settings: dict[str, str | None] = {
        "connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "source.cluster.alias": "near",
        "target.cluster.alias": "far",
        "source.cluster.bootstrap.servers": brokers,
        "target.cluster.bootstrap.servers": brokers,
        "topics": f"topic-{lines}",
        "replication.factor": "1",
        "offset-syncs.topic.replication.factor": "1",
        "refresh.topics.interval.seconds": "1",
        "sync.topic.acls.enabled": "false",
        # The brokers ask for no login, so that clients leave these two aside.
        "source.cluster.sasl.jaas.config": f'{module} password="{SECRET}";',
        "target.cluster.sasl.jaas.config": f'{module} password="${{file:{secrets}:password}}";',
        **NEW_TOPICS,
    }
    await site.steering.apply(mirror, settings, patch=False, initial_state=None)
    await site.until(mirror, lambda now: in_state(now, State.RUNNING))
    status, out, err = await site.ccr("describe", mirror)
    assert (status, err) == (0, "")
    assert SECRET not in out
    assert 'password="********"' in out
    assert f"${{file:{secrets}:password}}" in out
    status, out, _ = await site.ccr("offsets", "show", mirror, "--json")
    assert status == 0
    status, out, _ = await site.ccr("tasks", mirror)
    assert SECRET not in out
    assert "task 0" in out
