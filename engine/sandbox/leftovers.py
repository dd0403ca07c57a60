"""Sandboxes that were to end with a process which is gone, and did not.

Their watchdog cleans up even after `kill -9`; these are the cases where it was killed as well.
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.processes import TOKEN_PROPERTY, all_arguments
from engine.sandbox.sandbox import Sandbox, sandbox_home
from engine.sandbox.state import StateFile
from engine.sandbox.status import SandboxStatus

_SETTINGS = ("/server.properties", "/worker.properties")


def find_leftovers(home: Path | None = None) -> list[SandboxStatus]:
    """Return what was left behind: in the home of sandboxes, and wherever a broker runs."""
    found: list[SandboxStatus] = []
    for root in sorted(_roots_in(home or sandbox_home()) | _roots_of_processes()):
        try:
            status = Sandbox(root).status()
        except SandboxError:
            # Not readable as a sandbox of ours, so not ours to clean up.
            continue
        if status.left_behind:
            found.append(status)
    return found


async def clean_up(leftover: SandboxStatus) -> None:
    """Kill what still runs of it and delete its data."""
    await Sandbox(leftover.root).down(remove_data=True)


def _roots_in(home: Path) -> set[Path]:
    if not home.is_dir():
        return set()
    return {folder for folder in home.iterdir() if StateFile(folder).path.exists()}


def _roots_of_processes() -> set[Path]:
    """Find the folders of running processes by their settings: `ROOT/clusters/NAME/…/FILE`."""
    mark = f"-D{TOKEN_PROPERTY}="
    roots: set[Path] = set()
    for arguments in all_arguments():
        if any(argument.startswith(mark) for argument in arguments):
            roots.update(
                Path(argument).parents[3]
                for argument in arguments
                if argument.endswith(_SETTINGS) and len(Path(argument).parents) > 4
            )
    return roots
