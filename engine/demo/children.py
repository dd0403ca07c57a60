"""Helper processes of the demo, which end with us however we end.

Each reads standard input to its end and then ends itself, so that even `kill -9` of the demo leaves
none behind. On standard output it says one line of JSON when it has begun and one when it is done.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from engine.errors import CcrError

START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 60.0


class Child:
    """One helper process. Belongs to no event loop: start it in one, stop it in another."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        """Take a process over; `start` makes one."""
        self._process = process
        self._name = name
        self.log = log
        self.greeting: dict[str, Any] = {}

    @classmethod
    async def start(cls, name: str, module: str, arguments: Sequence[str], log: Path) -> Self:
        """Start `python -m module` and wait for its first line, kept as `greeting`.

        Its standard error goes to `log`. Raises CcrError when it ends or is silent.
        """
        child = cls(await asyncio.to_thread(_spawn, module, arguments, log), name, log)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                child.greeting = await child._line()
        except BaseException as error:
            await child._end(END_TIMEOUT_S)
            if isinstance(error, TimeoutError):
                raise child._failure(f"it said nothing for {START_TIMEOUT_S:.0f} s") from None
            raise
        return child

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    async def stop(self, timeout_seconds: float) -> dict[str, Any]:
        """Ask it to end, wait, and return its last line; kill it when that takes too long."""
        self._close_input()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._line()
        except TimeoutError:
            raise self._failure(f"it had not ended after {timeout_seconds:.0f} s") from None
        finally:
            await self._end(END_TIMEOUT_S)

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _end(self, timeout_seconds: float) -> None:
        self._close_input()
        try:
            await asyncio.to_thread(self._process.wait, timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        if self._process.stdout is not None:
            self._process.stdout.close()

    async def _line(self) -> dict[str, Any]:
        """Read one line; a line that tells of a `failure` is raised."""
        if self._process.stdout is None:
            raise self._failure("it has no output")
        line = await asyncio.to_thread(self._process.stdout.readline)
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            code = await asyncio.to_thread(self._process.wait)
            raise self._failure(f"it ended with exit code {code}") from None
        if "failure" in said:
            raise self._failure(str(said["failure"]))
        return said

    def _failure(self, cause: str) -> CcrError:
        return CcrError("running", self._name, cause, f"See {self.log}")


def _spawn(module: str, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    # -P: a folder named `engine` where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", module, *arguments]
    with log.open("wb") as errors:
        # In a session of its own, so that ctrl+c reaches us alone and the end is in order.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
