"""Where a service's files are, and who may be trusted with them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from engine.errors import ConfigError, ConnectError, RefusedError
from engine.service.lock import ServiceLock
from engine.service.paths import (
    MAX_SOCKET_PATH_BYTES,
    check_runtime_dir,
    prepare_runtime_dir,
    runtime_dir,
    service_paths,
)


@pytest.fixture(autouse=True)
def _runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCR_RUNTIME_DIR", str(tmp_path / "run"))


def test_one_configuration_has_one_socket_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "dr site.yaml"
    config.touch()
    link = tmp_path / "link.yaml"
    link.symlink_to(config)
    monkeypatch.chdir(tmp_path)
    sockets = {service_paths(name).socket for name in (config, link, "dr site.yaml")}
    assert len(sockets) == 1
    assert sockets.pop().name.startswith("dr-site-")
    assert service_paths(tmp_path / "other.yaml").socket not in sockets


def test_the_directory_does_not_depend_on_the_login_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CCR_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1234")
    monkeypatch.setenv("TMPDIR", "/somewhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert runtime_dir() == Path("/tmp/ccr-1234")


def test_a_path_too_long_for_a_socket_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCR_RUNTIME_DIR", "/" + "x" * MAX_SOCKET_PATH_BYTES)
    with pytest.raises(ConfigError, match="Set CCR_RUNTIME_DIR to a shorter path"):
        service_paths(tmp_path / "a.yaml")


def test_a_directory_others_may_enter_is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    with pytest.raises(ConfigError, match="others may enter it"):
        prepare_runtime_dir(open_to_all)


def test_a_link_or_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="not a directory"):
        check_runtime_dir(tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="File exists"):
        prepare_runtime_dir(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_strangers_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 4711, 4711)
    check_runtime_dir(theirs)  # root may look
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with pytest.raises(ConfigError, match="belongs to user id 4711"):
        check_runtime_dir(theirs)


def test_a_second_service_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    paths = service_paths(tmp_path / "a.yaml")
    with ServiceLock(paths):
        with pytest.raises(RefusedError, match=rf"on this host \(pid {os.getpid()}\)"):
            ServiceLock(paths).__enter__()
        with ServiceLock(service_paths(tmp_path / "b.yaml")):
            pass  # another configuration is another service
    with ServiceLock(paths):
        pass
    assert list(paths.lock.parent.iterdir()) == []


def test_a_lock_that_its_holder_removes_meanwhile_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = service_paths(tmp_path / "a.yaml")
    first = ServiceLock(paths).__enter__()
    locked: list[int] = []

    def lock_as_the_first_ends(descriptor: int, operation: int) -> None:
        if not locked:
            first.__exit__(None, None, None)
        locked.append(os.fstat(descriptor).st_ino)
        flock(descriptor, operation)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lock_as_the_first_ends)
    with ServiceLock(paths):
        assert len(locked) == 2
        assert paths.lock.stat().st_ino == locked[1]


def test_a_lock_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    paths = service_paths(tmp_path / "a.yaml")
    prepare_runtime_dir(paths.lock.parent)
    paths.lock.mkdir()
    with pytest.raises(ConnectError) as raised:
        ServiceLock(paths).__enter__()
    assert str(paths.lock) in str(raised.value)
    assert "Is a directory. Check the directory, or set CCR_RUNTIME_DIR" in str(raised.value)
