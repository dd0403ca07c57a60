"""The log is read back as it was written: in pieces, over rotations, whatever stands in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from engine.api.kept_snapshots import LogLevel, LogPage, LogRecord
from engine.errors import CcrError, ConfigError, ConnectError, RefusedError
from engine.kept import log as kept_log
from engine.kept import rotated
from engine.kept.files import KeptFiles
from engine.kept.log import LogReader
from engine.service import log_writing
from engine.service.logs import LogFormat, ServiceLog
from tests.leaks import Login, leaks

log = logging.getLogger("engine.test")


@pytest.fixture(autouse=True)
def _root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ccr.log"


def write(path: Path, *texts: str) -> None:
    """Let an engine's log say this."""
    with ServiceLog(path, LogFormat.HUMAN, narrate=False):
        for text in texts:
            log.info("%s", text)


def texts(page: LogPage) -> list[str]:
    return [record.text for record in page.records]


def all_before(reader: LogReader, limit: int) -> list[LogRecord]:
    """Read from the end to the beginning."""
    page = reader.page("", "", limit)
    found = list(page.records)
    while page.older:
        page = reader.page(page.start, "", limit)
        found = [*page.records, *found]
    return found


def all_after(reader: LogReader, place: str, limit: int) -> list[LogRecord]:
    found: list[LogRecord] = []
    while True:
        page = reader.page("", place, limit)
        found += page.records
        place = page.end
        if not page.newer:
            return found


def test_records_have_time_level_and_their_traceback(path: Path) -> None:
    with ServiceLog(path, LogFormat.HUMAN, narrate=False):
        log.info("one\nand its second line")
        log.warning("two")
        log.error("it failed", exc_info=KeyError("lost"))
        log.critical("ärger")
    with path.open("a") as file:
        file.write("Fatal Python error: Segmentation fault\n")
    page = LogReader(path).page("", "", 100)
    assert page.path == str(path)
    assert [record.level for record in page.records] == [
        LogLevel.INFO,
        LogLevel.WARNING,
        LogLevel.ERROR,
        LogLevel.ERROR,
    ]
    assert page.records[0].text == "one\nand its second line"
    assert page.records[2].text.startswith("it failed\n")
    assert "KeyError: 'lost'" in page.records[2].text
    assert page.records[3].text == "ärger\nFatal Python error: Segmentation fault"
    written = path.stat().st_mtime
    assert all(record.at and written - 60 < record.at <= written + 1 for record in page.records)
    assert (page.older, page.newer, page.lost) == (False, False, False)


def test_what_the_interpreter_says_alone_is_no_record(path: Path) -> None:
    path.write_text("Traceback (most recent call last):\n  boom\n")
    (record,) = LogReader(path).page("", "", 10).records
    assert (record.level, record.at) == (LogLevel.STDERR, None)
    assert record.text == "Traceback (most recent call last):\n  boom"


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("piece", [120, 400, 100_000])
def test_all_of_it_is_read_backwards_and_forwards_over_rotations(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, piece: int
) -> None:
    monkeypatch.setattr(log_writing, "FILE_BYTES", 1_500)
    monkeypatch.setattr(kept_log, "PIECE_BYTES", piece)
    said = [
        f"number {number}" + "\n  at a line of a traceback" * (number % 3) for number in range(60)
    ]
    write(path, *said)
    assert path.with_name("ccr.log.2").exists()
    reader = LogReader(path)
    found = all_before(reader, limit)
    assert [record.text for record in found] == said
    assert len({record.place for record in found}) == 60
    assert all_after(reader, found[0].place, limit) == found


def test_it_is_followed_over_a_rotation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writing, "FILE_BYTES", 2_000)
    write(path, "before")
    reader = LogReader(path)
    page = reader.page("", "", 10)
    assert reader.page("", page.end, 10).records == ()
    said = [f"{number} " + "x" * 200 for number in range(20)]
    write(path, *said)
    assert path.with_name("ccr.log.1").exists()
    assert [record.text for record in all_after(reader, page.end, 6)] == said


def test_a_line_is_told_when_it_is_whole(path: Path) -> None:
    write(path, "one")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-6])
    reader = LogReader(path)
    page = reader.page("", "", 10)
    assert texts(page) == ["one"]
    assert reader.page("", page.end, 10).records == ()
    path.write_bytes(whole + whole)
    assert texts(reader.page("", page.end, 10)) == ["one"]


def test_a_place_that_was_rotated_away_is_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotated, "_LOOK_AGAIN_S", 0.0)
    write(path, "old")
    reader = LogReader(path)
    page = reader.page("", "", 10)
    path.unlink()
    write(path, "new and longer than the old one")
    assert reader.page(page.end, "", 10) == LogPage(
        str(path), (), page.end, page.end, older=False, lost=True
    )
    again = reader.page("", page.end, 10)
    assert (texts(again), again.lost) == (["new and longer than the old one"], True)
    path.write_text("")
    emptied = reader.page("", again.end, 10)
    assert (emptied.records, emptied.end, emptied.lost) == ((), "", True)


def test_a_record_without_end_is_told_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_log, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(kept_log, "MOST_CHARACTERS", 300)
    write(path, "before", "x" * 5_000, "after")
    found = all_before(LogReader(path), 10)
    assert (found[0].text, found[-1].text) == ("before", "after")
    assert 3 < len(found) < 12
    assert all(len(record.text) < 400 for record in found)
    assert "characters more in the file" in found[2].text


def test_there_is_no_log_yet(path: Path) -> None:
    page = LogReader(path).page("", "", 10)
    assert page == LogPage(str(path), (), "", "", older=False)


async def test_what_cannot_be_read_says_why(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="this engine writes none"):
        await KeptFiles().log(before="", after="", limit=10)
    files = KeptFiles(path)
    with pytest.raises(ConfigError, match="is not a place"):
        await files.log(before="elsewhere", after="", limit=10)
    with pytest.raises(CcrError, match="directory"):
        await KeptFiles(tmp_path).log(before="", after="", limit=10)


async def test_an_answer_is_bounded(path: Path) -> None:
    write(path, *(f"number {number}" for number in range(1_500)))
    page = await KeptFiles(path).log(before="", after="", limit=10**9)
    assert len(page.records) == 1_000
    assert page.older


def test_no_secret_of_a_configuration_is_in_what_is_read(path: Path) -> None:
    login = Login("ccr", "hunter2-långt")
    secret = SecretStr(login.secret)
    with ServiceLog(path, LogFormat.HUMAN, narrate=False):
        log.info("logging in as %s with %s: %r", login.user, secret, {"password": secret})
        error = ConnectError("logging in", "west", f"refused for {login.user} {secret}")
        log.error("it failed", exc_info=error)
    page = LogReader(path).page("", "", 10)
    assert len(page.records) == 2
    assert leaks({"page": repr(page).encode()}, [login]) == []
    assert "**********" in page.records[0].text


def test_files_that_begin_alike_are_told_apart(path: Path) -> None:
    path.with_name("ccr.log.1").write_text("Fatal Python error\nthe first\n")
    path.write_text("Fatal Python error\nthe second\n")
    found = all_before(LogReader(path), 10)
    assert [record.text.splitlines()[-1] for record in found] == ["the first", "the second"]
    assert all_after(LogReader(path), found[0].place, 10) == found
