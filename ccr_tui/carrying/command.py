"""A copied text given to a program: pbcopy, wl-copy, `tmux load-buffer -`."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Sequence

from engine.errors import CcrError
from engine.printable import printable

PATIENCE = 5.0
"""Seconds within which it must have taken the text."""
_SAID_AT_MOST = 300
_NEXT = "Set `clipboard` in the console's settings to a command that works here, or to auto"


def feed(command: Sequence[str], text: str) -> None:
    """Run a command with the text as its standard input; blocks. Raises CcrError.

    What it says goes to a file, not to a pipe: wl-copy and xclip go on in the background, and would
    hold a pipe open.
    """
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=PATIENCE,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            cause = f"it did not end within {PATIENCE:g} s, and was killed"
            raise _failure(command, cause) from error
        except OSError as error:
            raise _failure(command, error.strerror or str(error)) from error
        if done.returncode == 0:
            return
        said.seek(0)
        words = printable(said.read(_SAID_AT_MOST).decode(errors="replace").strip())
    how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
    raise _failure(command, f"it ended with {how}{f': {words}' if words else ''}")


def _failure(command: Sequence[str], cause: str) -> CcrError:
    return CcrError("copying by", shlex.join(command), cause, _NEXT)
