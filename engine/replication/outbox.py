"""What one partition has to send: queued, in flight, and how a failure settles.

Appends are answered in the order in which they were sent. After the first failure nothing more is
sent, and what is in flight is waited for: only then is it known what to look at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.replication.pump import Append
from engine.replication.troubles import Refused


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an append was not acknowledged."""

    why: str
    sequence_refused: bool = False
    refused: Refused | None = None  # for what it holds


def refusal(append: Append, error: int, words: str) -> Refused:
    """Describe an append that the target refused for what it holds."""
    offsets = tuple(
        offset for first, count in append.pieces for offset in range(first, first + count)
    )
    return Refused(offsets[0], append.next_source, offsets, words, error, bytes(append.payload))


class Outbox:
    """Appends of one partition; `held` tells by how much the bytes in it changed."""

    __slots__ = ("_held", "failure", "held", "in_flight", "proven", "queue")

    def __init__(self, held: Callable[[int], None]) -> None:
        self._held = held
        self.queue: deque[Append] = deque()
        self.in_flight: deque[Append] = deque()
        self.failure: Failure | None = None
        self.proven = False  # the target holds our sequence, so it refuses a gap
        self.held = 0  # bytes

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return not self.queue and not self.in_flight

    @property
    def sendable(self) -> bool:
        """Whether the next append may be sent.

        A broker that holds no sequence of ours takes any, so a second append must not pass a first
        one that is refused.
        """
        return bool(self.queue) and (self.proven or not self.in_flight)

    @property
    def newest(self) -> Append | None:
        """The append that was put in last."""
        if self.queue:
            return self.queue[-1]
        return self.in_flight[-1] if self.in_flight else None

    def begin(self, *, proven: bool) -> None:
        """Begin anew, empty."""
        self.clear()
        self.failure = None
        self.proven = proven

    def clear(self) -> None:
        """Let go of everything."""
        self.queue.clear()
        self.in_flight.clear()
        self._hold(-self.held)

    def put(self, appends: Iterable[Append]) -> None:
        """Queue appends."""
        for append in appends:
            self.queue.append(append)
            self._hold(len(append.payload))

    def send(self) -> Append:
        """Move the next append from the queue into flight."""
        append = self.queue.popleft()
        self.in_flight.append(append)
        return append

    def acknowledged(self) -> None:
        """Let go of the oldest append in flight."""
        self._hold(-len(self.in_flight.popleft().payload))

    def failed(self, append: Append, failure: Failure) -> Failure | None:
        """Take in a failure; return the first one once nothing is in flight any more."""
        self.in_flight.remove(append)
        self._hold(-len(append.payload))
        if self.failure is None:
            self.failure = failure
            self._hold(-sum(len(queued.payload) for queued in self.queue))
            self.queue.clear()
        return None if self.in_flight else self.failure

    def _hold(self, delta: int) -> None:
        if delta:
            self.held += delta
            self._held(delta)
