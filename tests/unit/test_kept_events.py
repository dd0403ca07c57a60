"""Events that left the engine's memory are found in the file, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.kept_snapshots import EventsPage
from engine.api.snapshots import Event, Severity
from engine.errors import CcrError, ConfigError
from engine.kept import events as kept_events
from engine.kept.events import EVENT, EventReader
from engine.kept.files import KeptFiles


def event(number: int) -> Event:
    return Event(number, number / 2, Severity.WARNING, "dr/eu/1", f"number {number} é", "Do it")


def write(path: Path, numbers: range) -> list[Event]:
    events = [event(number) for number in numbers]
    path.write_bytes(b"".join(EVENT.dump_json(each) + b"\n" for each in events))
    return events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ccr-events.jsonl"


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("piece", [150, 1_000, 100_000])
def test_what_is_before_an_event_is_read_over_files(
    path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, limit: int
) -> None:
    monkeypatch.setattr(kept_events, "PIECE_BYTES", piece)
    expected = write(path.with_name(f"{path.name}.2"), range(1, 20))
    expected += write(path.with_name(f"{path.name}.1"), range(20, 60))
    expected += write(path, range(60, 90))[:10]
    reader = EventReader(path)
    page, found = reader.before(70, "", limit), list[Event]()
    while True:
        found = [*page.events, *found]
        assert len(page.events) <= limit
        if not page.older:
            break
        page = reader.before(70, page.place, limit)
    assert found == expected


def test_an_event_that_is_not_there_is_not_looked_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, range(10, 500))
    assert EventReader(path).before(12, "", 10).events == (event(10), event(11))
    monkeypatch.setattr(kept_events, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(kept_events, "LOOK_BYTES", 3_000)
    page = EventReader(path).before(12, "", 10)
    assert (page.events, page.older) == ((), False)


def test_ids_that_began_again_are_no_end(path: Path) -> None:
    old = write(path.with_name(f"{path.name}.1"), range(900, 910))
    write(path, range(1, 10))
    page = EventReader(path).before(4, "", 100)
    assert page.events == (*old, event(1), event(2), event(3))
    assert not page.older


def test_a_line_that_a_crash_cut_off_is_passed_over(path: Path) -> None:
    write(path, range(1, 4))
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(whole[0] + whole[1][:-30] + b"\n\xff garbage\n" + whole[2])
    page = EventReader(path).before(9, "", 100)
    assert page.events == (event(1), event(3))
    assert not page.older


def test_there_is_nothing_before_what_was_rotated_away(path: Path) -> None:
    write(path, range(1, 4))
    page = EventReader(path).before(3, "", 1)
    assert page.older
    path.unlink()
    assert EventReader(path).before(3, page.place, 1) == EventsPage((), page.place, older=False)


async def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    nothing = EventsPage((), "", older=False)
    assert await KeptFiles().events(5, "", 10) == nothing
    assert await KeptFiles(events=tmp_path / "none").events(5, "", 10) == nothing
    with pytest.raises(ConfigError, match="is not a place"):
        await KeptFiles(events=tmp_path / "none").events(5, "elsewhere", 10)
    with pytest.raises(CcrError, match="directory"):
        await KeptFiles(events=tmp_path).events(5, "", 10)
