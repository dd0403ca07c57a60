"""What a look at a fenced source comes to, in words: what is waited for, and who is in the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from engine.runbook.findings import Finding, stop, warn
from engine.runbook.standing_facts import Moving, OpenTransaction, Standing, Writer

NAMED = 5
"""So many partitions, producers or transactions are named; of others there is a count."""


def waited_for(seen: Standing) -> str:
    """Say in a line what a look waits for."""
    words = []
    if seen.moving:
        words.append(f"{_count(seen.moving, 'partition')} still written to")
    if seen.transactions:
        words.append(f"{_count(seen.transactions, 'transaction')} open")
    if seen.behind:
        words.append(f"replicas of {_count(seen.behind, 'partition')} behind")
    if seen.unanswered:
        words.append(f"{_count(seen.unanswered, 'partition')} without an answer")
    if seen.unseen:
        words.append(f"{_count(seen.unseen, 'topic')} not there")
    if words:
        return ", ".join(words) + _first(seen)
    return (
        f"all ends to stand still: for {min(seen.stood_s, seen.quiet_s):.1f} of {seen.quiet_s:g} s"
    )


def in_the_way(seen: Standing) -> list[Finding]:
    """Return all that keeps the fence from being tight, who does it by name, and what to do."""
    moving = [moving_words(each, seen.not_told) for each in seen.moving[:NAMED]]
    found = [stop(words, "Stop that producer") for words in moving]
    found += _more(len(seen.moving), "partitions are written to")
    found += [_of_transaction(each) for each in seen.transactions[:NAMED]]
    found += _more(len(seen.transactions), "transactions are open")
    for partitions, what, next_step in (
        (seen.behind, "is not replicated up to its end", "Look at the brokers of its replicas"),
        (seen.unanswered, "has no leader, or it does not answer", "Look at that broker"),
    ):
        found += [
            stop(f"{topic}/{number} {what}", next_step) for topic, number in partitions[:NAMED]
        ]
        found += _more(len(partitions), f"partitions: each {what}")
    not_there = "is not there, or ccr may not DESCRIBE it"
    found += [stop(f"Topic {topic} {not_there}") for topic in seen.unseen[:NAMED]]
    found += _more(len(seen.unseen), f"topics: each {not_there}")
    if seen.not_told:
        found.append(warn(f"On this cluster {seen.not_told}"))
    return found


def moving_words(moving: Moving, not_told: str = "") -> str:
    """Say who writes to a partition, or why that is not told."""
    where = f"{moving.topic}/{moving.partition} went from {moving.began:,} to {moving.end:,}"
    if not moving.writers and not_told:
        return f"{where}: {not_told}"
    if not moving.writers:
        return f"{where}: no producer id wrote, so a producer without idempotence"
    writers = ", ".join(map(writer_words, moving.writers[:NAMED]))
    more = len(moving.writers) - NAMED
    return f"{where}: {writers}" + (f" and {more} more" if more > 0 else "")


def writer_words(writer: Writer) -> str:
    """Name a producer."""
    words = f"producer id {writer.producer_id} (epoch {writer.epoch})"
    if writer.last_write_ms < 0:
        return words
    return f"{words}, last write {_time(writer.last_write_ms)}"


def transaction_words(transaction: OpenTransaction) -> str:
    """Name a transaction, with what ends it."""
    name = f"producer id {transaction.producer_id} (epoch {transaction.epoch})"
    if transaction.transactional_id is not None:
        name = f"{transaction.transactional_id}, {name}"
    places = [
        f"{topic}/{number} from offset {start:,}"
        for (topic, number), start in transaction.partitions.items()
    ]
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    words = f"Transaction of {name} is open on {', '.join(places[:NAMED])}{more}"
    if transaction.state is not None:
        words += f" ({transaction.state})"
    if transaction.age_s is not None and transaction.timeout_s is not None:
        left = max(0.0, transaction.timeout_s - transaction.age_s)
        words += f", {transaction.age_s:.0f} s old; its coordinator aborts it in {left:.0f} s"
    return words


def _of_transaction(transaction: OpenTransaction) -> Finding:
    if transaction.transactional_id is not None:
        return stop(transaction_words(transaction), "Let its producer commit or abort, or wait")
    return stop(
        f"{transaction_words(transaction)}; no coordinator tells its transactional id",
        "Grant DESCRIBE on transactional ids; if there is none, it hangs: kafka-transactions abort",
    )


def _first(seen: Standing) -> str:
    """Name the first that is in the way."""
    if seen.moving:
        return f"; {moving_words(seen.moving[0], seen.not_told)}"
    return f"; {transaction_words(seen.transactions[0])}" if seen.transactions else ""


def _more(count: int, what: str) -> list[Finding]:
    return [stop(f"{count - NAMED:,} more {what}")] if count > NAMED else []


def _count(things: Sequence[object], what: str) -> str:
    return f"{len(things):,} {what}{'s' * (len(things) != 1)}"


def _time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%H:%M:%S}.{ms % 1000:03d} UTC"
