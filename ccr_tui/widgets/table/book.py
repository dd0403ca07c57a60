"""The rows behind a live table: kept by key, put in order now and then, not at every change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Generic

from ccr_tui.widgets.table.columns import Column, RowT

Key = Hashable
Predicate = Callable[[RowT], bool]


@dataclass(frozen=True, slots=True)
class Order:
    """By which column, and whether the highest comes first."""

    column: str
    descending: bool


@total_ordering
@dataclass(frozen=True, slots=True)
class _Falling:
    """Text that sorts backwards: it has no negative."""

    text: str

    def __lt__(self, other: _Falling) -> bool:
        return other.text < self.text


class RowBook(Generic[RowT]):
    """Rows by key, and the order in which those that pass the filter are shown.

    Values may change without the order changing: `rearrange` brings it up to date. Rows that
    compare equal stand in the order of `tie`, also when descending.
    """

    def __init__(
        self,
        key: Callable[[RowT], Key],
        columns: Sequence[Column[RowT]],
        order: Order,
        tie: Callable[[RowT], Any],
    ) -> None:
        self._key = key
        self._columns = {column.id: column for column in columns}
        self._tie = tie
        self.rows: dict[Key, RowT] = {}
        self.order = order
        self.filter: Predicate[RowT] | None = None
        self.shown: list[Key] = []
        self.position: dict[Key, int] = {}
        self.settled = True
        """False when `shown` may be out of date."""
        self.complete = True
        """False when rows came or went since the last `rearrange`."""

    def update(self, rows: Iterable[RowT], removed: Iterable[Key] = ()) -> set[Key]:
        """Take in new and changed rows; return the keys that were touched."""
        touched: set[Key] = set()
        for row in rows:
            key = self._key(row)
            if key not in self.rows:
                self.complete = False
            self.rows[key] = row
            touched.add(key)
        for key in removed:
            if self.rows.pop(key, None) is not None:
                self.complete = False
                touched.add(key)
        if touched:
            self.settled = False
        return touched

    def clear(self) -> None:
        """Forget all rows."""
        self.rows.clear()
        self.complete = self.settled = False

    def keep_only(self, keys: Collection[Key]) -> None:
        """Forget the rows with other keys."""
        self.update((), [key for key in self.rows if key not in keys])

    def rearrange(self) -> None:
        """Filter and sort."""
        rows: Iterable[RowT] = self.rows.values()
        if self.filter is not None:
            rows = filter(self.filter, rows)
        self.shown = [self._key(row) for row in sorted(rows, key=self._sort_key())]
        self.position = {key: index for index, key in enumerate(self.shown)}
        self.settled = self.complete = True

    def _sort_key(self) -> Callable[[RowT], Any]:
        column = self._columns.get(self.order.column)
        value = column.sort if column else None
        tie = self._tie
        if value is None:
            return tie
        descending = self.order.descending

        def key(row: RowT) -> Any:
            by = value(row)
            if descending:
                by = _Falling(by) if isinstance(by, str) else -by  # type: ignore[assignment]
            return by, tie(row)

        return key

    def row_at(self, index: int) -> RowT | None:
        """Return the row shown at an index."""
        return self.rows.get(self.shown[index]) if 0 <= index < len(self.shown) else None
