"""Events survive the engine: kept as lines, read back in order, whatever a crash left behind."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.snapshots import Event, Severity
from engine.replication.events import Events
from engine.service import event_file, log_writing
from engine.service.event_file import read_events
from engine.service.logs import LogFormat, ServiceLog


@pytest.fixture(autouse=True)
def _root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def run(folder: Path, *texts: str) -> tuple[Event, ...]:
    """One engine's life: what was is there again, what happens is added."""
    path = folder / "events.jsonl"
    with ServiceLog(folder / "ccr.log", LogFormat.JSON, narrate=False, events=path):
        events = Events()
        events.restore(read_events(path, 1000))
        logging.getLogger("engine.test").info("no event")
        for text in texts:
            events.emit(Severity.WARNING, "orders/eu/1", text, "Do it")
        return events.since(0)


def test_what_happened_before_is_there_after_a_restart(tmp_path: Path) -> None:
    assert [event.text for event in run(tmp_path, "one", "two")] == ["one", "two"]
    seen = run(tmp_path, "three é")
    assert [(event.id, event.text) for event in seen] == [(1, "one"), (2, "two"), (3, "three é")]
    assert (seen[0].severity, seen[0].subject, seen[0].next_step) == (
        Severity.WARNING,
        "orders/eu/1",
        "Do it",
    )
    assert 0 < seen[0].at <= seen[2].at
    assert stat.S_IMODE((tmp_path / "events.jsonl").stat().st_mode) == 0o600


def test_a_line_that_a_crash_cut_off_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, "one", "two")
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + b"\n" + b"\xff\x00 garbage\n")
    assert [event.text for event in run(tmp_path, "three")] == ["one", "three"]


def test_files_rotate_and_the_newest_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writing, "FILE_BYTES", 2_000)
    monkeypatch.setattr(event_file, "TAIL_BYTES", 1_500)
    run(tmp_path, *(f"number {number}" for number in range(40)))
    found = read_events(tmp_path / "events.jsonl", 12)
    assert [event.text for event in found] == [f"number {number}" for number in range(28, 40)]


def test_an_engine_starts_where_events_cannot_be_kept_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events.jsonl").mkdir()
    assert [event.text for event in run(tmp_path, "one")] == ["one"]
    log = (tmp_path / "ccr.log").read_text()
    assert "events are not kept over restarts" in log
    assert str(tmp_path / "events.jsonl") in log
    assert "one" in log


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "events.jsonl").mkdir()
    assert read_events(tmp_path / "events.jsonl", 10) == []
    assert "cannot be read" in caplog.text
