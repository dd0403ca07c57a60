"""The keys that a configuration may have, as the model says, and a file that has them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from engine.config.fields import Model
from engine.config.model import Config
from engine.config.sections import sections_of

SAMPLES = Path(__file__).parents[2] / "sample_configs"
_SHOWN_KEY = re.compile(r"^( *)#( *[a-z_]+:)", re.MULTILINE)


def field_paths(section: type[Model] = Config, above: str = "") -> Iterator[str]:
    """Yield every key with its sections, NAME standing for a name that the user gives."""
    for key, field in section.model_fields.items():
        path = f"{above}{key}"
        yield path
        name = ".NAME" if get_origin(field.annotation) is dict else ""
        held = get_args(field.annotation)[1] if name else field.annotation
        for below in sections_of(held):
            yield from field_paths(below, f"{path}{name}.")


def starter_with_all_keys() -> str:
    """Return the starter with its commented keys switched on."""
    return _SHOWN_KEY.sub(r"\1\2", (SAMPLES / "starter.yaml").read_text())


def all_keys_used() -> dict[str, Any]:
    """Return the data of a valid configuration that uses every key but `start`'s mappings."""
    data: dict[str, Any] = yaml.safe_load(starter_with_all_keys())
    return data


def leaves(data: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of all values that are neither mapping nor list."""
    below = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in below:
        if isinstance(value, dict | list):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key)
