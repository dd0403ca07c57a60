"""Calls that block, perhaps for ever, made so that nobody has to wait for them longer than agreed.

A keyring asks a daemon over D-Bus, and a daemon may hang or wait for somebody to type a password.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

TIME_LIMIT_S = 4.0
"""So that a sentence about what did not answer is there within 5 s."""

_Answer = TypeVar("_Answer")
_under_way: dict[Hashable, Future[Any]] = {}
_changing = threading.Lock()


async def limited(key: Hashable, call: Callable[[], _Answer]) -> _Answer:
    """Make the call in a thread; raises TimeoutError after TIME_LIMIT_S, and what the call raises.

    A call that hangs is given up, not ended: nothing ends a thread. Whoever asks with the same key
    meanwhile waits for that one, so that trying again does not pile up threads.
    """
    with _changing:
        answer = _under_way.get(key)
        if answer is None:
            answer = _under_way[key] = Future()
            answer.set_running_or_notify_cancel()  # one who gives up must not cancel for others
            # A daemon: it must not keep ccr from ending either.
            threading.Thread(
                target=_run, args=(key, call, answer), daemon=True, name="ccr-limited"
            ).start()
    async with asyncio.timeout(TIME_LIMIT_S):
        value: _Answer = await asyncio.wrap_future(answer)
    return value


def _run(key: Hashable, call: Callable[[], Any], answer: Future[Any]) -> None:
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001  (handed to those who wait)
        _ended(key)
        answer.set_exception(error)
    else:
        _ended(key)
        answer.set_result(value)


def _ended(key: Hashable) -> None:
    with _changing:
        _under_way.pop(key, None)
