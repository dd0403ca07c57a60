"""When a source's retention reaches records that are not mirrored yet: a forecast by arithmetic.

Brokers delete a segment once its newest record is older than retention.ms, or once retention.bytes
are kept without it. So a record is safe while it is younger than retention.ms and while less than
retention.bytes stand from it to the log's end: what is forecast is the earliest that it can go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.api.retention_snapshots import Overtaking

SEEN_FOR_S = 15.0  # before a growth is believed
GROWS = 0.02  # seconds a second; less is what measuring makes of standing still
WORTH = 0.05  # of what retention allows; with less used, growth may be a moment's
FORESEEN_S = 30 * 24 * 3600.0  # what is further away is no forecast
MS, BYTES, POLICY = "retention.ms", "retention.bytes", "cleanup.policy"
CONFIGS = (POLICY, MS, BYTES)
_DELETES = "delete"


@dataclass(frozen=True, slots=True)
class Retention:
    """What a topic keeps; None: without limit."""

    seconds: float | None
    bytes: int | None

    @classmethod
    def of(cls, configs: Mapping[str, str]) -> Retention:
        """Read a topic's configs; those that only compact delete nothing for its age or size."""
        if _DELETES not in configs.get(POLICY, _DELETES):
            return cls(None, None)
        milliseconds, size = int(configs.get(MS, -1)), int(configs.get(BYTES, -1))
        return cls(milliseconds / 1000 if milliseconds >= 0 else None, size if size >= 0 else None)

    @property
    def limited(self) -> bool:
        """Whether anything is ever deleted."""
        return self.seconds is not None or self.bytes is not None


@dataclass(frozen=True, slots=True)
class Look:
    """What is not mirrored of a partition, at a time (seconds since the epoch)."""

    at: float
    mirrored_to: int
    age: float | None  # of the oldest record, seconds; None: not known
    bytes: float | None  # estimate; None: nothing measured


def forecast(looks: Sequence[Look], retention: Retention, *, halted: bool) -> Overtaking | None:
    """Return the earliest overtaking; None when there is none as things go, or nothing tells.

    `looks`: the last minute, oldest first. `halted`: nothing is mirrored until someone acts.
    """
    found = [_by_age(looks, retention.seconds, halted), _by_size(looks, retention.bytes)]
    known = [each for each in found if each is not None and each.at - looks[-1].at < FORESEEN_S]
    return min(known, key=lambda each: each.at, default=None)


def _by_age(looks: Sequence[Look], most: float | None, halted: bool) -> Overtaking | None:
    first, last = looks[0], looks[-1]
    if most is None or last.age is None:
        return None
    if halted or (_long(looks) and first.mirrored_to == last.mirrored_to):
        return Overtaking(float(round(last.at - last.age + most)), MS)  # it only grows older
    growth = _growth(looks, first.age, last.age)
    if growth is None or growth < GROWS or last.age < WORTH * most:
        return None
    left = max(0.0, most - last.age)
    return Overtaking(float(round(last.at + left / min(growth, 1.0))), MS)


def _by_size(looks: Sequence[Look], most: int | None) -> Overtaking | None:
    first, last = looks[0], looks[-1]
    if most is None or last.bytes is None:
        return None
    if last.bytes >= most:
        return Overtaking(float(round(last.at)), BYTES)
    growth = _growth(looks, first.bytes, last.bytes)
    if growth is None or growth <= 0 or last.bytes < WORTH * most:
        return None
    return Overtaking(float(round(last.at + (most - last.bytes) / growth)), BYTES)


def _growth(looks: Sequence[Look], first: float | None, last: float | None) -> float | None:
    """Return by how much it grows a second; None while too little was seen."""
    if first is None or last is None or not _long(looks):
        return None
    return (last - first) / (looks[-1].at - looks[0].at)


def _long(looks: Sequence[Look]) -> bool:
    return looks[-1].at - looks[0].at >= SEEN_FOR_S
