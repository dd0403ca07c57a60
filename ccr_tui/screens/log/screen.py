"""The engine's log, newest first: it follows what is written, and goes back as one scrolls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from textual import on

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.base import Console
from ccr_tui.screens.log.place import SCOPE
from ccr_tui.screens.log.tail import KEPT, LogRow, LogTail
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Cell, Column, Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.kept_snapshots import LogLevel, LogRecord
from engine.printable import printable

_TONES = {
    LogLevel.DEBUG: Tone.DIM,
    LogLevel.INFO: Tone.DIM,
    LogLevel.WARNING: Tone.WARN,
    LogLevel.ERROR: Tone.BAD,
    LogLevel.STDERR: Tone.BAD,
}
_SERIOUS = frozenset({LogLevel.ERROR, LogLevel.STDERR})
_FLOORS: tuple[tuple[frozenset[LogLevel], str], ...] = (
    (frozenset(LogLevel), ""),
    (_SERIOUS | {LogLevel.WARNING}, "warnings and errors only"),
    (_SERIOUS, "errors only"),
)
_AHEAD = 2
"""Screenfuls below the cursor, or below what is in sight, that are to be there already."""


class LogScreen(TablesScreen[LogTail]):
    """Records of the log file; `/` finds text or a level."""

    SCOPES = (SCOPE, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE)
    FILTER_HINT = "text, !text, re:regex, error, warning"
    EVERY = 1.0

    def __init__(self, console: Console, subject: str | None = None) -> None:
        super().__init__(console, subject)
        self.tail = LogTail()
        self._floor = 0
        self._back = False
        self._may_go_back = False
        """Whether there is more than what stands in the table."""

    @property
    def shown(self) -> FilteredTable[Any]:
        """The one table."""
        return self.all_tables[0]

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make the table of records."""
        table: LineTable[LogRow] = LineTable(
            _columns(symbols.ellipsis),
            key=lambda row: row.record.place,
            tie=lambda row: -row.number,
            order=Order("", descending=False),
            symbols=symbols,
            rests_on_top=True,
            carried=lambda row: row.record,
            id="records",
        )
        words: Words[LogRow] = Words(
            lambda row: row.record.text, lambda row: (row.record.level.value,)
        )
        return (FilteredTable(table, words, "record"),)

    async def ask(self) -> LogTail:
        """Read on, and back where that is wanted."""
        back, self._back = self._back, False
        await self.tail.read(self.console.bridge.api, back=back)
        return self.tail

    def fill(self, answer: LogTail) -> None:
        """Put what came into the table."""
        self._may_go_back = answer.may_grow_back
        came, went = answer.take()
        if came or went:
            self.shown.load(self._passing(came), went)

    def do_level(self) -> None:
        """Show all records, then warnings and errors, then errors."""
        self._floor = (self._floor + 1) % len(_FLOORS)
        self.shown.replace(self._passing(self.tail.rows))
        self.shown.table.restart()
        self.show_state()

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Show the record in full."""
        self.do_details()

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring everything up to date, and see whether older records are wanted."""
        super().show_body(state, now)
        self._look_back()

    @on(LineTable.Highlighted)
    def _look_back(self) -> None:
        table = self.shown.table
        seen = max(table.cursor_index, table.scroll_offset.y + table.size.height)
        ahead = len(table.book.shown) - seen
        wanted = ahead < _AHEAD * self.size.height and self.asker.failure is None
        if wanted and self._may_go_back:
            self._back, self._may_go_back = True, False
            self.asker.poke()

    def headline(self) -> str:
        """Say what is shown, and how far it goes back."""
        table = self.shown.table
        parts = [f"Log, newest first: {formats.plural(len(table.book.shown), 'record')}"]
        if table.scroll_offset.y:
            parts.append(f"{table.scroll_offset.y:,} newer above (g)")
        return ", ".join(parts)

    def told(self, answer: LogTail) -> list[Fact]:
        """Name the file, and what of it is shown."""
        facts: list[Fact] = [[("File ", Tone.DIM), (printable(answer.path), Tone.PLAIN)]]
        _, only = _FLOORS[self._floor]
        limits = [only] if only else []
        first = next((row.record.at for row in answer.rows if row.record.at is not None), None)
        if first is not None and answer.older:
            how = "older: scroll down" if answer.may_grow_back else "the rest is there"
            limits.append(f"back to {formats.timestamp(first)}, {how}")
        if answer.older and not answer.may_grow_back:
            limits.append(f"{KEPT:,} records are the most that is shown")
        if answer.lost:
            limits.append("begun anew: the file was emptied, or rotated away meanwhile")
        if limits:
            facts.append([("Shown ", Tone.DIM), ("; ".join(limits), Tone.STRONG)])
        return facts

    def described(self, row: LogRow) -> tuple[str, list[Fact]]:
        """Return when it was written, and all of it."""
        record = row.record
        head: list[Cell] = [(record.level.value, _TONES[record.level])]
        if record.level is LogLevel.STDERR:
            head.append(("  written past the log, by the interpreter or a library", Tone.DIM))
        lines: list[Fact] = [[(printable(line), Tone.PLAIN)] for line in record.text.split("\n")]
        return _full_time(record), [head, *lines]

    def nothing(self, answer: LogTail | None) -> str:
        """Say why there are no records."""
        if answer is None:
            return "Waiting for the engine."
        if not answer.rows:
            return f"There is nothing in the log {printable(answer.path)}."
        _, only = _FLOORS[self._floor]
        return "" if self.shown.table.book.rows else f"No record: {only} (l)."

    def text_to_copy(self) -> str:
        """Copy the record as the file has it."""
        row = self.shown.table.current
        return as_written(row.record) if row is not None else ""

    def _passing(self, rows: Iterable[LogRow]) -> list[LogRow]:
        levels, _ = _FLOORS[self._floor]
        return [row for row in rows if row.record.level in levels]


def as_written(record: LogRecord) -> str:
    """Return a record as it stands in the file."""
    if record.at is None:
        return record.text
    at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds")
    return f"{at.replace('+00:00', 'Z')} {record.level.value.upper():<7} {record.text}"


def _columns(ellipsis: str) -> tuple[Column[LogRow], ...]:
    return (
        Column("time", "TIME", _time, 14, 1),
        Column("level", "LEVEL", _level, 7, 0),
        Column("text", "RECORD", lambda row: _text(row, ellipsis), 24, 0, grow=1),
    )


def _time(row: LogRow) -> Cell:
    at = row.record.at
    local = f"{datetime.fromtimestamp(at).astimezone():%m-%d %H:%M:%S}" if at is not None else ""
    return local, Tone.DIM


def _full_time(record: LogRecord) -> str:
    return formats.timestamp(record.at) if record.at is not None else "No time"


def _level(row: LogRow) -> Cell:
    return row.record.level.value, _TONES[row.record.level]


def _text(row: LogRow, ellipsis: str) -> Cell:
    """Return a record in one line: of a traceback its end, which says what happened."""
    first, *more = row.record.text.split("\n")
    text = f"{first} {ellipsis} {more[-1]}" if more else first
    return formats.one_line(text), Tone.PLAIN
