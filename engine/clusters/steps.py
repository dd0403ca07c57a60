"""The steps of testing a connection: each is begun, sees things, and ends well or not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from engine.api.cluster_snapshots import ConnectionTest, StepName, StepState, TestStep


class StepError(Exception):
    """A step failed: why, and what to do."""

    def __init__(self, problem: str, next_step: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended when it did not fail; a `problem` makes it doubtful."""

    problem: str = ""
    next_step: str = ""
    needed: bool = True


FINE = Outcome()
NOT_NEEDED = Outcome(needed=False)
Act = Callable[[], Awaitable[Outcome]]


class Steps:
    """All steps of one test, as they are now."""

    def __init__(self, number: int, cluster: str) -> None:
        self._number = number
        self._cluster = cluster
        self._started_at = time.time()
        self._steps = {name: TestStep(name) for name in StepName}
        self._now = StepName.PREPARE
        self._begun = 0.0
        self.done = False

    def snapshot(self) -> ConnectionTest:
        """Return the test as it is now."""
        return ConnectionTest(
            self._number,
            self._cluster,
            self._started_at,
            self.done,
            tuple(self._steps.values()),
        )

    def see(self, *lines: str) -> None:
        """Add what the step under way saw."""
        step = self._steps[self._now]
        self._change(seen=(*step.seen, *lines))

    async def take(self, name: StepName, act: Act) -> None:
        """Take a step; raises StepError when it fails."""
        self._now, self._begun = name, time.monotonic()
        self._change(state=StepState.RUNNING)
        try:
            outcome = await act()
        except StepError as error:
            self._end(StepState.FAILED, error.problem, error.next_step)
            raise
        if not outcome.needed:
            self._change(state=StepState.SKIPPED)
            return
        state = StepState.DOUBTFUL if outcome.problem else StepState.OK
        self._end(state, outcome.problem, outcome.next_step)

    def finish(self) -> None:
        """End the test: what was not come to is not reached."""
        for name, step in self._steps.items():
            if step.state in (StepState.WAITING, StepState.RUNNING):
                self._steps[name] = replace(step, state=StepState.NOT_REACHED)
        self.done = True

    def _end(self, state: StepState, problem: str, next_step: str) -> None:
        seconds = time.monotonic() - self._begun
        self._change(state=state, seconds=seconds, problem=problem, next_step=next_step)

    def _change(self, **changes: object) -> None:
        self._steps[self._now] = replace(self._steps[self._now], **changes)  # type: ignore[arg-type]


def sentences(lines: Iterable[str]) -> str:
    """Join what is said of several things, each once."""
    return "; ".join(dict.fromkeys(lines))
