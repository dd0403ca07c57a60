"""The clipboard of the terminal at the operator's end, by OSC 52: it works over SSH.

Nobody tells whether a terminal took what was sent. tmux takes it with `set -g set-clipboard on`,
or hands it on with `set -g allow-passthrough on`: both ways are tried.
"""

from __future__ import annotations

import base64
import os

MOST = 74_994
"""Bytes, encoded: what terminals are known to take (k9s has the same limit)."""


def sequences(text: str) -> list[str]:
    """Return what to write to the terminal; empty when the text is too large."""
    encoded = base64.b64encode(text.encode()).decode()
    if len(encoded) > MOST:
        return []
    plain = f"\x1b]52;c;{encoded}\x07"
    if "TMUX" not in os.environ:
        return [plain]
    inner = plain.replace("\x1b", "\x1b\x1b")
    return [plain, f"\x1bPtmux;{inner}\x1b\\"]
