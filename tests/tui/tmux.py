"""A private tmux server to drive the console in a real terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest

REPO = Path(__file__).resolve().parents[2]


class Tmux:
    """One terminal with one program in it; ends with the `with` block."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
        cwd: Path = REPO,
    ) -> None:
        """Skip the test, and say why, where there is no tmux."""
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed: apt-get install tmux")
        self._server = f"ccr-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._command = list(command)
        self._size = size
        self._environment = {"LANG": "C.UTF-8", "TZ": "UTC", **(environment or {})}
        self._cwd = cwd

    def __enter__(self) -> Self:
        width, height = self._size
        set_environment = [f"{name}={value}" for name, value in self._environment.items()]
        # What pytest sets would stand for the terminal's own size, which changes.
        sizeless = ["env", "-u", "COLUMNS", "-u", "LINES"]
        program = shlex.join([*sizeless, *set_environment, *self._command])
        # The shell stays after the program, to show what it left behind and its exit code.
        shell = f"{program}; echo exit code $?; exec cat"
        size = ["-x", str(width), "-y", str(height)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(self._cwd), shell)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._server, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def send_keys(self, *keys: str) -> None:
        """Press keys, by tmux's names (Enter, Escape, C-c, …)."""
        for key in keys:
            self._tmux("send-keys", key)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        """Change the terminal's size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def set_option(self, name: str, value: str) -> None:
        """Set one of the server's options."""
        self._tmux("set-option", "-s", name, value)

    def process(self, command: str) -> psutil.Process:
        """Return the process in the terminal whose command line has this in it."""
        shell = psutil.Process(int(self._tmux("display-message", "-p", "#{pane_pid}")))
        found = [each for each in shell.children(recursive=True) if command in each.cmdline()]
        return found[0]

    def buffer(self) -> str:
        """Return what a program put into the clipboard."""
        return self._tmux("show-buffer")

    def capture(self, *, escapes: bool = False) -> str:
        """Return what is on the screen, with escape sequences if asked for."""
        return self._tmux("capture-pane", "-p", *(["-e"] if escapes else []))

    def wait_for(self, text: str, within: float = 60.0) -> str:
        """Wait until the screen says `text`; return the screen."""
        return self.wait_until(lambda screen: text in screen, f"{text!r} never came", within)

    def wait_gone(self, text: str, within: float = 60.0) -> str:
        """Wait until the screen no longer says `text`; return the screen."""
        return self.wait_until(lambda screen: text not in screen, f"{text!r} stayed", within)

    def wait_until(
        self, condition: Callable[[str], object], failure: str, within: float = 60.0
    ) -> str:
        """Wait until the screen meets a condition; return the screen."""
        deadline = time.monotonic() + within
        while True:
            screen = self.capture()
            if condition(screen):
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"{failure}; the screen:\n{screen}")
            time.sleep(0.05)
