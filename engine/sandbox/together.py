"""Awaiting several things at once without leaving any of them behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; when one fails, cancel the others, wait for them, and raise its error."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def each(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all to their end, failures or not; then raise the first error."""
    for result in await asyncio.gather(*coroutines, return_exceptions=True):
        if result is not None:
            raise result
