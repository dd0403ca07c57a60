"""How the demo's helper processes talk to the demo: lines of JSON on standard output."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any


def say(line: Mapping[str, Any]) -> None:
    """Write one line; nobody may be left to read it."""
    try:
        os.write(1, json.dumps(line).encode() + b"\n")
    except BrokenPipeError:
        return
