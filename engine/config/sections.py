"""Which section of the model a path of the file leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from engine.config.fields import Model
from engine.config.model import Config
from engine.config.problems import KeyPath
from engine.config.secrets import SecretRef


def section_at(path: KeyPath) -> type[Model] | None:
    """Return the section that stands at the path, if the model has one there."""
    annotations: list[Any] = [Config]
    for part in path:
        annotations = [below for each in annotations for below in _below(each, part)]
    sections = [each for annotation in annotations for each in sections_of(annotation)]
    return sections[0] if sections else None


def subsections(section: type[Model]) -> dict[str, type[Model]]:
    """Return the keys of a section whose values are sections themselves."""
    found: dict[str, type[Model]] = {}
    for key, field in section.model_fields.items():
        for below in sections_of(field.annotation):
            found.setdefault(key, below)
    return found


def holds_secrets(section: type[Model]) -> bool:
    """Whether a key of the section itself is a secret."""
    return any(
        SecretRef in set(_flattened(field.annotation)) for field in section.model_fields.values()
    )


def is_secret(path: KeyPath) -> bool:
    """Whether the model has a secret at the path."""
    section = section_at(path[:-1]) if path else None
    field = section.model_fields.get(str(path[-1])) if section else None
    return field is not None and SecretRef in set(_flattened(field.annotation))


def secrets_of(value: Any, above: KeyPath = ()) -> Iterator[tuple[KeyPath, SecretRef]]:
    """Yield the secrets of a section, or of a mapping or list of them, with their paths."""
    if isinstance(value, SecretRef):
        yield above, value
        return
    below: list[tuple[Any, Any]]
    if isinstance(value, Model):
        below = list(value)
    elif isinstance(value, dict):
        below = list(value.items())
    else:
        below = list(enumerate(value)) if isinstance(value, list) else []
    for key, each in below:
        yield from secrets_of(each, (*above, key))


def _flattened(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of a union or Annotated, but not what a list or dict holds."""
    if get_origin(annotation) in (list, dict) or not get_args(annotation):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _flattened(argument)


def sections_of(annotation: Any) -> Iterator[type[Model]]:
    """Yield the sections that a value of this annotation may be."""
    for each in _flattened(annotation):
        if isinstance(each, type) and issubclass(each, Model):
            yield each


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    for each in _flattened(annotation):
        origin, arguments = get_origin(each), get_args(each)
        if origin is list and isinstance(part, int):
            yield arguments[0]
        elif origin is dict and isinstance(part, str):
            yield arguments[1]
        elif isinstance(each, type) and issubclass(each, Model) and part in each.model_fields:
            yield each.model_fields[str(part)].annotation
