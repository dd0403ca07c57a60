"""The sandbox's memory: whole or absent, guarded, and deleting nothing of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import SandboxError
from engine.sandbox.broker import ClusterSpec
from engine.sandbox.jars import KAFKA_VERSION
from engine.sandbox.plan import DEFAULT_CLUSTERS, claim, plan_clusters, require_usable
from engine.sandbox.processes import ProcessIdentity, this_process
from engine.sandbox.state import SandboxState, StateFile, this_host

GONE = ProcessIdentity(pid=1, started="before the flood", token="")


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "sandbox")


def planned(file: StateFile, **clusters: ClusterSpec) -> SandboxState:
    state = SandboxState()
    plan_clusters(state, file, clusters)
    return state


def test_what_is_saved_is_loaded(file: StateFile) -> None:
    spec = ClusterSpec(
        2, "1g", (), {"log.segment.bytes": "1048576"}, {2: {"message.max.bytes": "100"}}
    )
    state = planned(file, east=spec)
    claim(state, file, ephemeral=False)
    state.clusters["east"].nodes[1].process = ProcessIdentity(4711, "81", "abc")
    state.clusters["east"].nodes[0].token = "def"
    file.save(state)
    assert StateFile(file.root).load() == state
    assert ClusterSpec.from_state(state.clusters["east"].spec) == replace(
        spec, kafka_version=KAFKA_VERSION
    )


def test_no_sandbox_is_no_state(file: StateFile) -> None:
    assert file.load() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "clusters": 3}'])
def test_a_damaged_state_is_told(file: StateFile, text: str) -> None:
    file.root.mkdir()
    file.path.write_text(text)
    with pytest.raises(SandboxError) as failure:
        file.load()
    assert str(failure.value).startswith(f"read {file.path}: it is not a sandbox state")
    assert str(failure.value).endswith(f"Stop what runs from {file.root} and delete that folder.")


def test_only_the_sandbox_own_files_are_deleted(file: StateFile) -> None:
    state = planned(file, east=ClusterSpec())
    file.save(state)
    file.node_folder("east", 1).mkdir(parents=True)
    (file.node_folder("east", 1) / "server.properties").write_text("x")
    file.scratch.mkdir()
    (file.scratch / "mm2.log").write_text("x")
    precious = [file.root / "thesis.txt", file.clusters / "stranger" / "photo.jpg"]
    for path in precious:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    file.remove_all(state)
    assert sorted(path for path in file.root.rglob("*") if path.is_file()) == sorted(precious)


def test_a_folder_that_held_nothing_else_goes_too(file: StateFile) -> None:
    state = planned(file, east=ClusterSpec())
    file.save(state)
    file.remove_all(state)
    assert not file.root.exists()


async def test_two_at_once_are_kept_apart(file: StateFile) -> None:
    async with file.locked():
        with pytest.raises(SandboxError, match="another ccr is busy"):
            async with StateFile(file.root).locked(timeout_seconds=0.2):
                pytest.fail("both got in")
    async with StateFile(file.root).locked(timeout_seconds=0.2):
        pass


async def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SandboxError, match=f"the sandbox folder {tmp_path}/file/x: Not a directory"
    ):
        async with StateFile(tmp_path / "file" / "x").locked():
            pytest.fail("got in")


def test_unless_told_otherwise_there_are_east_and_west(file: StateFile) -> None:
    state = SandboxState()
    plan_clusters(state, file, None)
    assert list(state.clusters) == ["east", "west"] == list(DEFAULT_CLUSTERS)
    ports = [port for node in state.nodes() for port in node.ports]
    assert len(set(ports)) == 4


def test_clusters_that_exist_stay_as_they_are(file: StateFile) -> None:
    state = planned(file, north=ClusterSpec(3))
    before = state.clusters["north"].nodes
    plan_clusters(state, file, None)
    assert list(state.clusters) == ["north"]
    plan_clusters(state, file, {"north": ClusterSpec(3, heap="512m"), "south": ClusterSpec()})
    assert list(state.clusters) == ["north", "south"]
    assert state.clusters["north"].nodes == before
    assert state.clusters["north"].spec["heap"] == "512m"


def test_the_number_of_brokers_is_for_good(file: StateFile) -> None:
    state = planned(file, north=ClusterSpec(3))
    with pytest.raises(SandboxError, match=r"start north with 1 broker\(s\): .* it has 3\. Delete"):
        plan_clusters(state, file, {"north": ClusterSpec(1)})


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "-x", "a b", "x" * 65])
def test_names_that_are_no_folder_names_are_refused(file: StateFile, name: str) -> None:
    with pytest.raises(SandboxError, match="name a cluster"):
        planned(file, **{name: ClusterSpec()})


def test_a_cluster_needs_a_broker() -> None:
    with pytest.raises(SandboxError, match="0 brokers"):
        ClusterSpec(0)


def test_an_ephemeral_sandbox_is_owned(file: StateFile) -> None:
    state = SandboxState()
    claim(state, file, ephemeral=True)
    assert (state.owner, state.host) == (this_process(), this_host())
    claim(state, file, ephemeral=True)
    kept = SandboxState()
    claim(kept, file, ephemeral=False)
    assert kept.owner is None


def test_what_was_left_behind_is_not_taken_over_silently(file: StateFile) -> None:
    state = SandboxState(owner=GONE, host=this_host())
    require_usable(state, file)
    with pytest.raises(SandboxError, match=f"ccr sandbox down --dir {file.root}"):
        claim(state, file, ephemeral=False)


def test_a_sandbox_that_is_to_stay_is_not_made_ephemeral(file: StateFile) -> None:
    state = planned(file, east=ClusterSpec())
    with pytest.raises(SandboxError, match="outlive this process"):
        claim(state, file, ephemeral=True)


def test_another_hosts_sandbox_is_not_touched(file: StateFile) -> None:
    state = SandboxState(owner=GONE, host="elsewhere")
    with pytest.raises(SandboxError, match="started on the host elsewhere"):
        require_usable(state, file)
