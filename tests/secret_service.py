"""A Secret Service of a test's own: dbus-daemon and gnome-keyring, unlocked, locked or hanging."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOOLS = ("dbus-daemon", "gnome-keyring-daemon")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

# Owns the Secret Service's name and never answers a call.
_SILENT = """
import sys, time
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
connection = open_dbus_connection()
bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
call = new_method_call(bus, "RequestName", "su", ("org.freedesktop.secrets", 0))
connection.send_and_get_reply(call)
print("ready", flush=True)
time.sleep(600)
"""
_LOCK = """
import secretstorage
collection = secretstorage.get_default_collection(secretstorage.dbus_init())
collection.lock()
assert collection.is_locked()
"""


@dataclass
class Asked:
    """A process that is asked by a line."""

    process: subprocess.Popen[str]

    def ask(self) -> None:
        """Ask once."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@dataclass
class SecretService:
    """One session bus, its address fixed from the start."""

    folder: Path
    bus: subprocess.Popen[bytes] | None = None
    keyring: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it, and no other."""
        outer = {"DISPLAY", "WAYLAND_DISPLAY", "PYTHON_KEYRING_BACKEND", "CREDENTIALS_DIRECTORY"}
        return {
            **{name: value for name, value in os.environ.items() if name not in outer},
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "CCR_RUNTIME_DIR": str(self.folder / "ccr"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.folder}/bus",
        }

    def start_bus(self) -> None:
        """Start the bus alone, as on a server: nobody offers the Secret Service."""
        # Without the system's services, one of which would start the keyring by itself.
        config = self.folder / "bus.conf"
        config.write_text(
            "<busconfig><type>session</type>"
            f"<listen>unix:path={self.folder}/bus</listen>"
            '<policy context="default"><allow send_destination="*" eavesdrop="true"/>'
            '<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>'
        )
        self.bus = self._start(["dbus-daemon", f"--config-file={config}", "--nofork"])
        _until((self.folder / "bus").exists, "the bus listens")

    def start_keyring(self) -> None:
        """Start an unlocked keyring."""
        for name in ("data", "run"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        command = ["gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground"]
        self.keyring = self._start(command, stdin=subprocess.PIPE)
        assert self.keyring.stdin is not None
        self.keyring.stdin.write(b"the login password")
        self.keyring.stdin.close()
        _until(self._is_up, "the keyring answers")

    def start_silent(self) -> None:
        """Let the name be owned by a service that never answers."""
        command = [sys.executable, "-c", _SILENT]
        self.keyring = self._start(command, stdout=subprocess.PIPE)
        assert self.keyring.stdout is not None
        assert self.keyring.stdout.readline() == b"ready\n"

    def lock(self) -> None:
        """Lock the collection; nobody is there to answer a prompt."""
        self.run(_LOCK)

    def freeze(self) -> None:
        """Stop the keyring as SIGSTOP does."""
        assert self.keyring is not None
        self.keyring.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.keyring is not None
        self.keyring.send_signal(signal.SIGCONT)

    def run(self, code: str) -> str:
        """Run Python in this environment; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ccr(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run `ccr` in this environment, with `given` piped in."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("ccr")), *arguments],
            env=self.environment, cwd=self.folder, input=given, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def python(self, code: str) -> Iterator[Asked]:
        """Run Python that answers each line with a line of JSON."""
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                yield Asked(process)
            finally:
                process.kill()

    def close(self) -> None:
        """End what was started."""
        for process in (self.keyring, self.bus):
            if process is not None:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        stream.close()

    def _is_up(self) -> bool:
        code = (
            "import secretstorage as s; "
            "print(s.check_service_availability(s.dbus_init()) and "
            "not s.get_default_collection(s.dbus_init()).is_locked())"
        )
        return self.run(code).strip() == "True"

    def _start(self, command: list[str], **streams: int) -> subprocess.Popen[bytes]:
        with (self.folder / "daemons.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.environment,
                **{"stdout": log, "stderr": log, **streams},  # type: ignore[call-overload]
            )


@contextlib.contextmanager
def secret_service(folder: Path) -> Iterator[SecretService]:
    """Prepare one that is started piece by piece, and end all of it."""
    made = SecretService(folder)
    try:
        yield made
    finally:
        made.close()


def _until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
