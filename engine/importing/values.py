"""Values of Kafka's configurations: lists, booleans, times, as Java reads them."""

from __future__ import annotations

from engine.importing.ledger import Ledger
from engine.importing.report import Setting


def listed(value: str) -> list[str]:
    """Split at commas; blanks around items and empty items do not count."""
    return [item.strip() for item in value.split(",") if item.strip()]


def truth(ledger: Ledger, setting: Setting) -> bool | None:
    """Read true or false; anything else is refused, and None returned."""
    said = setting.value.strip().lower()
    if said in ("true", "false"):
        return said == "true"
    ledger.refuse(setting, "is neither true nor false")
    return None


def number(ledger: Ledger, setting: Setting, least: int, most: int) -> int | None:
    """Read a whole number; what is none, or out of bounds, is refused, and None returned."""
    text = setting.value.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        ledger.refuse(setting, "is no whole number")
        return None
    if not least <= int(text) <= most:
        ledger.refuse(setting, f"ccr takes {least} to {most} here; its default stays")
        return None
    return int(text)


def time(ledger: Ledger, setting: Setting, unit: float, least: float, most: float) -> str | None:
    """Read a time in a unit of so many seconds, as ccr writes it: 30s, 500ms.

    A time out of bounds (in seconds) is refused, and None returned.
    """
    count = number(ledger, setting, -1, 10**15)
    if count is None:
        return None
    seconds = count * unit
    if not least <= seconds <= most:
        bounds = f"{written(least)} to {written(most)}"
        ledger.refuse(setting, f"ccr takes {bounds} here; its default stays")
        return None
    return written(seconds)


def written(seconds: float) -> str:
    """Write a time as the configuration has it."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    return f"{seconds:g}s" if seconds < 1000 else f"{round(seconds)}s"
