"""What a test waited for when its time was over: every asyncio task, down to what it awaits.

pytest-timeout tells of threads only; a test's own stack then ends in the event loop's `select`.
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from _pytest.outcomes import Failed

PATIENCE_S = 10.0


class TimeUp(Failed, SystemExit):
    """A failure that leaves an event loop: there, other ones are the business of who raised them.

    Raised in a task or a callback, they would be logged at most, and the test would wait on.
    """


def tell_when_stuck(item: pytest.Item) -> None:
    """Let pytest-timeout's alarm note what the tasks wait for before it fails the test."""
    fail = signal.getsignal(signal.SIGALRM)
    if not callable(fail):
        return  # no time limit, or one that is kept by a thread

    def in_loop() -> None:
        try:
            fail(signal.SIGALRM, None)
        except Failed as failure:
            raise TimeUp(failure.msg) from None

    def alarm(number: int, frame: FrameType | None) -> None:
        loop = asyncio._get_running_loop()
        if loop is None:
            fail(number, frame)
        else:
            item.add_report_section("call", "asyncio tasks", told(loop))
            loop.call_soon_threadsafe(in_loop)
            # Should the loop itself be blocked.
            signal.signal(signal.SIGALRM, fail)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    signal.signal(signal.SIGALRM, alarm)


def told(loop: asyncio.AbstractEventLoop) -> str:
    """Return all tasks of a loop with their stacks, outermost call first."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return "\n\n".join("\n".join([repr(task), *_stack(task.get_coro())]) for task in tasks)


def _stack(awaited: object) -> Iterator[str]:
    """Yield where a coroutine stands, then what it awaits, and so on."""
    while awaited is not None:
        frame, inner = _standing(awaited)
        if frame is None:
            yield f"  {awaited!r}"
        else:
            path = frame.f_code.co_filename
            line = linecache.getline(path, frame.f_lineno).strip()
            yield f"  {path}:{frame.f_lineno} in {frame.f_code.co_qualname}: {line}"
        awaited = inner


def _standing(awaited: object) -> tuple[FrameType | None, object]:
    """Return the frame of a coroutine, generator or async generator, and what it awaits."""
    for frame, inner in (
        ("cr_frame", "cr_await"),
        ("gi_frame", "gi_yieldfrom"),
        ("ag_frame", "ag_await"),
    ):
        if hasattr(awaited, frame):
            return getattr(awaited, frame), getattr(awaited, inner)
    # What awaits an async generator's next value keeps the generator to itself.
    generators = (held for held in gc.get_referents(awaited) if hasattr(held, "ag_frame"))
    return None, next(generators, None)
