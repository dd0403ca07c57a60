"""The file as it is shown and as it is replaced."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.editing import file, showing
from engine.config.editing.edits import HIDDEN
from engine.errors import ConfigError, RefusedError

TEXT = "version: 1\n"
SECRET = "hunter2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "ccr.yaml"
    found.write_text(TEXT)
    found.chmod(0o640)
    return found


def others(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if each != path)


# replacing


def test_it_is_replaced_with_the_same_mode_and_nothing_is_left_lying_about(path: Path) -> None:
    before = path.stat()
    written = file.write(file.read(path), "version: 2\n")
    assert path.read_text() == "version: 2\n"
    after = path.stat()
    assert after.st_ino != before.st_ino  # replaced, never written over
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert written == file.read(path)
    assert others(path) == []


def test_a_link_is_followed_and_stays(path: Path) -> None:
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    written = file.write(file.read(link), "version: 3\n")
    assert written.path == path.resolve()
    assert link.is_symlink()
    assert path.read_text() == "version: 3\n"


def test_a_byte_order_mark_stays(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\n")
    found = file.read(path)
    assert found.text == "version: 1\r\n"
    file.write(found, found.text.replace("1", "2"))
    assert path.read_bytes() == b"\xef\xbb\xbfversion: 2\r\n"


def test_a_file_that_somebody_else_has_changed_is_left_alone(path: Path) -> None:
    found = file.read(path)
    path.write_text("version: 1 # theirs\n")
    with pytest.raises(RefusedError, match="somebody else has changed the file"):
        file.write(found, "version: 2\n")
    assert path.read_text() == "version: 1 # theirs\n"
    assert others(path) == []


def test_a_disk_that_is_full_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    found = file.read(path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RefusedError, match=r"ccr\.yaml: no space left on device"):
        file.write(found, "version: 2\n")
    assert path.read_text() == TEXT
    assert others(path) == []


@pytest.fixture
def not_ours(path: Path) -> Iterator[Path]:
    """The file in a folder that this test's user may not write; root becomes somebody else."""
    if os.geteuid() != 0:
        path.parent.chmod(0o500)
        yield path
        path.parent.chmod(0o700)
        return
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    copy = Path(shutil.copy(path, folder / path.name))
    copy.chmod(0o644)
    os.seteuid(65534)
    try:
        yield copy
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_told_beforehand(not_ours: Path) -> None:
    told = f"ccr (user id {os.geteuid()}) may not write in {not_ours.parent}"
    assert file.why_not_writable(not_ours) == told
    with pytest.raises(RefusedError, match=re.escape(told)):
        file.write(file.read(not_ours), "version: 2\n")
    assert not_ours.read_text() == TEXT


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_it_stays_its_owners(path: Path) -> None:
    os.chown(path, 4711, 4712)
    file.write(file.read(path), "version: 2\n")
    assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs Linux")
def test_an_access_list_stays(path: Path) -> None:
    # acl(5), version 2: u::rw-, u:4711:r--, g::---, m::r--, o::---
    entries = [(1, 6, -1), (2, 4, 4711), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    packed = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + (who % 2**32).to_bytes(4, "little")
        for tag, perm, who in entries
    )
    try:
        os.setxattr(path, "system.posix_acl_access", packed)
    except OSError as error:
        pytest.skip(f"no access lists on this file system: {error}")
    file.write(file.read(path), "version: 2\n")
    assert os.getxattr(path, "system.posix_acl_access") == packed


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert file.why_not_writable(pipe) == "it is no regular file"


def test_a_new_file_is_its_owners_alone_and_replaces_nothing(tmp_path: Path) -> None:
    new = tmp_path / "ccr" / "new.yaml"
    created = file.create(new, TEXT)
    assert created.text == new.read_text() == TEXT
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="the file is there already"):
        file.create(new, "version: 2\n")
    assert new.read_text() == TEXT
    assert others(new) == []


# showing

CLUSTER = """\
clusters:
  a:
    bootstrap_servers: [h:1]
    sasl:
      mechanism: PLAIN
      username: u
      password: {password}
"""


def shown(password: str, to: str = "username: v") -> str:
    before = CLUSTER.format(password=password)
    return showing.difference(before, before.replace("username: u", to), "ccr.yaml")


def test_a_difference_says_what_changes() -> None:
    assert shown("keyring:a/b").splitlines() == [
        "--- ccr.yaml (as it is)",
        "+++ ccr.yaml (as it would be)",
        "@@ -3,5 +3,5 @@",
        "     bootstrap_servers: [h:1]",
        "     sasl:",
        "       mechanism: PLAIN",
        "-      username: u",
        "+      username: v",
        "       password: keyring:a/b",
    ]
    assert showing.difference(TEXT, TEXT, "ccr.yaml") == ""


@pytest.mark.parametrize(
    "line",
    [
        SECRET,
        f"'{SECRET}'",
        f"&anchor {SECRET}",
        f"|\n        {SECRET}",
        f">\n        {SECRET}\n        {SECRET}",
        f"keyring:a/b\n      pasword: {SECRET}",
        f"keyring:a/b  # was password: {SECRET}",
        f"keyring:a/b\n      # password: '{SECRET}'",
        f"keyring:a/b\n      #client_secret={SECRET} and more",
        f"[{SECRET}]",
    ],
)
def test_no_secret_is_in_a_difference(line: str) -> None:
    told = shown(line)
    assert "+      username: v" in told
    assert SECRET not in told
    assert HIDDEN in told


def test_the_rest_of_a_secret_that_reads_as_a_key_is_not_shown() -> None:
    before = "clusters: {a: {sasl: {username: u, password: hun,ter2}}}\n"
    told = showing.difference(before, before.replace("u,", "v,"), "ccr.yaml")
    assert "ter2" not in told
    assert "hun" not in told


def test_what_steers_terminals_is_not_in_a_difference() -> None:
    told = showing.difference("a: 1\n", 'a: "\u202e"\n', "ccr.yaml")
    assert "\u202e" not in told
    assert "\\u202e" in told


def test_values_have_references_but_no_secrets() -> None:
    sasl = {"username": "u", "password": SECRET, "client_secret": "env:X"}
    tls = {"ca": "/x", "key_password": ["a"]}
    data = {"clusters": {"a": {"sasl": sasl, "tls": tls}}, "flows": {"f": {"source": "a"}}}
    assert showing.without_secrets(data) == {
        "clusters": {
            "a": {
                "sasl": {"username": "u", "password": HIDDEN, "client_secret": "env:X"},
                "tls": {"ca": "/x", "key_password": HIDDEN},
            }
        },
        "flows": {"f": {"source": "a"}},
    }
