"""What the fences say in common: many topics in a few words, many refusals as one error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from engine.errors import KafkaError
from engine.runbook.findings import Finding, stop

_NAMED = 3


def named(topics: Iterable[str]) -> str:
    """Name topics: the first few, and how many more there are."""
    ordered = sorted(topics)
    kind = "topic" if len(ordered) == 1 else f"{len(ordered):,} topics:"
    more = f" and {len(ordered) - _NAMED:,} more" if len(ordered) > _NAMED else ""
    return f"{kind} {', '.join(ordered[:_NAMED])}{more}"


def counted(topics: Collection[str]) -> str:
    """Say how many topics."""
    return f"{len(topics):,} topic{'s' * (len(topics) != 1)}"


def as_findings(refused: Mapping[str, KafkaError]) -> list[Finding]:
    """Say why topics were refused, those with the same cause together."""
    by_cause: dict[str, list[str]] = {}
    for topic, error in refused.items():
        by_cause.setdefault(f"{error.operation} {{}}: {error.cause}", []).append(topic)
    return [
        stop(
            text.replace("topic {}", named(topics)).replace("{}", named(topics)),
            refused[min(topics)].next_step,
        )
        for text, topics in by_cause.items()
    ]


def all_in_one(
    operation: str, flow: str, refused: Mapping[str, KafkaError], asked: int
) -> KafkaError:
    """Return one error for topics of a flow that were refused, of as many as were asked for."""
    first = min(refused)
    error = refused[first]
    return KafkaError(
        operation,
        f"flow {flow}",
        f"{len(refused):,} of {asked:,} topics were refused, the first {first}: {error.cause}",
        error.next_step,
        retriable=all(each.retriable for each in refused.values()),
    )
