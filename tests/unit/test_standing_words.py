"""What is said of a source that is to stand still."""

from __future__ import annotations

from dataclasses import replace

from engine.runbook.findings import Severity
from engine.runbook.standing_facts import Moving, OpenTransaction, Standing, Writer
from engine.runbook.standing_words import in_the_way, waited_for

QUIET = Standing(
    tight=False, ends={("a", 0): 7}, stable={("a", 0): 7}, quiet_s=3, stood_s=1.24, elapsed_s=5
)
WRITER = Writer(4001, 2, 17, 1_700_000_000_123)
TRANSACTION = OpenTransaction(
    4002, 5, {("a", 0): 1234}, 1_700_000_000_000, "payments-1", "Ongoing", 12.2, 60.0
)


def texts(seen: Standing) -> list[str]:
    return [each.text for each in in_the_way(seen)]


def test_nothing_is_in_the_way() -> None:
    assert waited_for(QUIET) == "all ends to stand still: for 1.2 of 3 s"
    assert in_the_way(QUIET) == []


def test_who_writes_is_named() -> None:
    seen = replace(QUIET, moving=(Moving("a", 0, 1000, 2500, 0.1, (WRITER,)),))
    words = "a/0 went from 1,000 to 2,500: producer id 4001 (epoch 2), last write 22:13:20.123 UTC"
    assert texts(seen) == [words]
    assert waited_for(seen) == f"1 partition still written to; {words}"


def test_who_writes_without_a_producer_id() -> None:
    seen = replace(QUIET, moving=(Moving("a", 0, 1, 2, 0.1, ()),))
    assert texts(seen) == [
        "a/0 went from 1 to 2: no producer id wrote, so a producer without idempotence"
    ]
    blind = replace(seen, not_told="producers cannot be named: TOPIC_AUTHORIZATION_FAILED")
    assert texts(blind) == [
        "a/0 went from 1 to 2: producers cannot be named: TOPIC_AUTHORIZATION_FAILED",
        "On this cluster producers cannot be named: TOPIC_AUTHORIZATION_FAILED",
    ]
    assert [each.severity for each in in_the_way(blind)] == [Severity.STOP, Severity.WARN]


def test_a_transaction_is_named_with_what_ends_it() -> None:
    seen = replace(QUIET, transactions=(TRANSACTION,))
    (words,) = texts(seen)
    assert words == (
        "Transaction of payments-1, producer id 4002 (epoch 5) is open on a/0 from offset 1,234"
        " (Ongoing), 12 s old; its coordinator aborts it in 48 s"
    )
    assert waited_for(seen).startswith("1 transaction open; Transaction of payments-1")
    unnamed = replace(TRANSACTION, transactional_id=None, state=None, age_s=None, timeout_s=None)
    (finding,) = in_the_way(replace(QUIET, transactions=(unnamed,)))
    assert finding.text == (
        "Transaction of producer id 4002 (epoch 5) is open on a/0 from offset 1,234;"
        " no coordinator tells its transactional id"
    )


def test_of_many_some_are_named_and_the_others_counted() -> None:
    seen = replace(
        QUIET,
        unanswered=tuple(("a", number) for number in range(12)),
        behind=(("b", 1),),
        unseen=("c",),
    )
    assert texts(seen) == [
        "b/1 is not replicated up to its end",
        *(f"a/{number} has no leader, or it does not answer" for number in range(5)),
        "7 more partitions: each has no leader, or it does not answer",
        "Topic c is not there, or ccr may not DESCRIBE it",
    ]
    assert waited_for(seen) == (
        "replicas of 1 partition behind, 12 partitions without an answer, 1 topic not there"
    )
