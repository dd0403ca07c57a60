"""The steps of testing a connection, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ccr_tui.cli.tables import WIDTH, indented
from engine.printable import printable

if TYPE_CHECKING:
    from engine.api.cluster_snapshots import ConnectionTest, TestStep

_NOT_COME_TO = "not reached"


def step_lines(test: ConnectionTest) -> Iterator[str]:
    """Word a test that is done: what was seen at each step, and where it ended."""
    yield f"{test.cluster}: the connection step by step"
    for step in test.steps:
        if step.state.value != _NOT_COME_TO:
            yield from _of_one(step)
    left = ", ".join(step.name for step in test.steps if step.state.value == _NOT_COME_TO)
    if left:
        yield f"  {_NOT_COME_TO}: {left}"


def _of_one(step: TestStep) -> Iterator[str]:
    took = f", {step.seconds * 1000:,.0f} ms" if step.seconds is not None else ""
    yield f"  {step.name}: {step.state}{took}"
    for seen in step.seen:
        yield f"    {printable(seen)}"[:WIDTH]
    if step.problem:
        yield from indented(f"{step.problem.rstrip('.')}. {step.next_step}".rstrip())
