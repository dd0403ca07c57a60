"""What would be lost, in sentences that can be read out in an incident call."""

from __future__ import annotations

from collections.abc import Iterator

from engine.api.loss_snapshots import LossSnapshot
from engine.service import wording

_BOUNDS = {
    (False, False): "",
    (True, False): "at least ",
    (False, True): "at most ",
    (True, True): "about ",
}


def sentence(loss: LossSnapshot) -> str:
    """Say it in one sentence."""
    opening = f"If {loss.source} vanished now: "
    if not loss.looked_at:
        return f"{opening}what would be lost is not known, its ends were not seen yet."
    return f"{opening}{_lost(loss)}{_since(loss)}{_groups(loss)}."


def _lost(loss: LossSnapshot) -> str:
    age = loss.taken_at - loss.looked_at
    if not loss.lost_records:
        then = f" of what it had {wording.duration(age)} ago" if loss.at_least else ""
        return f"nothing{then} would be lost"
    bound = _BOUNDS[loss.at_least, loss.at_most]
    size = "" if loss.lost_bytes is None else f" (about {wording.size(loss.lost_bytes)})"
    since = ""
    if loss.lost_seconds is not None:
        since = f" written in the last {wording.duration(loss.lost_seconds)}"
    then = f", as of {wording.duration(age)} ago" if loss.at_least else ""
    what = _plural(loss.lost_records, "record")
    topics = _plural(loss.topics_losing, "topic")
    return f"{bound}{what}{size} of {topics}{since} would be lost{then}"


def _since(loss: LossSnapshot) -> str:
    """Say what may have been written since the last look."""
    if not loss.since_records:
        return ""
    size = "" if loss.since_bytes is None else f" ({wording.size(loss.since_bytes)})"
    return f"; by estimate {_plural(loss.since_records, 'record')}{size} more, if written since"


def _groups(loss: LossSnapshot) -> str:
    if not loss.groups_looked_at:
        return ""
    reading = sum(1 for group in loss.groups if group.again_records)
    if not reading:
        return "; no group would read a record again"
    return (
        f"; {_plural(reading, 'group')} would read "
        f"{_plural(loss.again_records or 0, 'record')} again"
    )


def notes(loss: LossSnapshot) -> Iterator[str]:
    """Say what else is to be known about the numbers."""
    if loss.source_trouble:
        yield f"{loss.source} is not seen at the moment: {loss.source_trouble}"
    if loss.since_records:
        yield (
            f"The estimate: {loss.written_per_second:,.1f} records/s, as in the minute before "
            f"{loss.source} was last seen, for {wording.duration(loss.taken_at - loss.looked_at)}."
        )
    if loss.at_most:
        yield (
            "Records that other flows brought to the source would not be lost; the newest of them, "
            "and those of flows that this configuration does not have, are counted all the same."
        )
    if loss.partitions_unknown:
        number = _plural(loss.partitions_unknown, "partition")
        yield f"Not counted: {number} whose end was never seen."
    if loss.lost_records and loss.lost_bytes is None:
        yield "Bytes are not known: nothing of a topic was mirrored, and its size is not told."
    unknown = sum(1 for group in loss.groups if group.again_records is None)
    if unknown:
        yield f"What {_plural(unknown, 'group')} would read again is not known (ccr groups)."
    if not loss.groups_looked_at:
        yield "Consumer groups were not looked at."
    worst = loss.worst
    if worst is not None and worst.lost_records > loss.lost_records:
        size = "" if worst.lost_bytes is None else f" (about {wording.size(worst.lost_bytes)})"
        ago = wording.duration(loss.taken_at - worst.at)
        yield f"Worst of the last hour: {_plural(worst.lost_records, 'record')}{size}, {ago} ago."


def _plural(number: int, noun: str) -> str:
    return f"{wording.count(number)} {noun}{'s' * (number != 1)}"
