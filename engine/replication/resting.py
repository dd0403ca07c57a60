"""A promoted flow in the hands of its owner: nothing is mirrored, and nobody else may begin to."""

from __future__ import annotations

import asyncio

from engine.api.snapshots import FlowState, Reason
from engine.replication.mirroring import HEARTBEAT_S
from engine.replication.state_log import StateLog
from engine.replication.state_records import Promotion, promotion_entry


class Resting:
    """Keeps the claim on a promoted flow, so that its runbooks can go on writing their journals."""

    def __init__(self, state: StateLog) -> None:
        self._state = state
        self._withdrawn = asyncio.Event()

    async def run(self) -> None:
        """Rest until the promotion is withdrawn; raises SupersededError when taken over."""
        while not self._withdrawn.is_set():
            await self._state.append([])
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._withdrawn.wait()
            except TimeoutError:
                continue

    async def withdraw(self) -> None:
        """Let the direction be mirrored again."""
        await self._state.append([promotion_entry(None)])
        self._withdrawn.set()


def state_of_promoted(promotion: Promotion) -> tuple[FlowState, Reason]:
    """Return the state of a flow whose mirrors were promoted."""
    return FlowState.PROMOTED, Reason(
        f"its mirrors were promoted by {promotion.by} on {promotion.host}, run {promotion.run}: "
        "nothing is mirrored into them any more",
        f"ccr reports {promotion.run} tells of it",
        promotion.at,
    )
