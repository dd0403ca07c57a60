"""Text that others wrote, made safe to show: it must not steer a terminal.

Anybody who may name a consumer group can put escape sequences into its name, and brokers put such
names into their messages.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with what is not printable, line ends excepted, as Python would escape it."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def plural(number: int, noun: str) -> str:
    """Count things: `1 record`, `2,000 records`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
