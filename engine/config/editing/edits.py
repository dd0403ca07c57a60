"""What is to be changed in a configuration file: plain data, for forms and the control socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import JsonValue

EditPath: TypeAlias = tuple[str, ...]
"""Keys from the top of the file: ("flows", "a", "topics")."""
HIDDEN = "plain text, hidden"
"""Stands for a secret that the file holds itself; putting it back leaves the secret as it is."""


@dataclass(frozen=True, slots=True)
class Put:
    """Afterwards the path holds exactly this value; only what differs in it is written anew.

    So a whole entry may be put back with one field changed: the comments in it stay. Mappings on
    the way to the path are made when they are not there.
    """

    path: EditPath
    value: JsonValue
    kind: Literal["put"] = "put"


@dataclass(frozen=True, slots=True)
class Remove:
    """Afterwards the path is not there; one that is not there already is no error."""

    path: EditPath
    kind: Literal["remove"] = "remove"


Edit: TypeAlias = Put | Remove
