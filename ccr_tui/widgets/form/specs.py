"""Which fields a section of the configuration has, as the model itself tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from ccr_tui.widgets.form import values
from engine.config.fields import Model
from engine.config.flow_section import StartTimestamp
from engine.config.secrets import SecretRef
from engine.config.sections import sections_of
from engine.config.units import parse_bytes, parse_seconds

FieldPath = tuple[str, ...]
"""Keys within the section that the form is for."""


class Kind(Enum):
    """What is typed into a field."""

    TEXT = auto()
    NUMBER = auto()
    SIZE = auto()
    TIME = auto()
    BOOL = auto()
    CHOICE = auto()
    LINES = auto()  # a list, one item a line
    PAIRS = auto()  # a mapping, `key: value` a line
    PINNED = auto()  # a mapping of mappings, `key: name=value` a line
    START = auto()  # a word, a time or an offset
    SECRET = auto()  # where a secret is, and the secret itself


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field."""

    path: FieldPath
    kind: Kind
    help: str
    required: bool = False
    default: str = ""  # as it is shown; empty: there is none
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is called on the screen."""
        return " ".join(self.path).replace("_", " ")

    @property
    def key(self) -> str:
        """What it is called in the file."""
        return ".".join(self.path)


def fields_of(section: type[Model], above: FieldPath = ()) -> Iterator[FieldSpec]:
    """Yield the fields of a section and of the sections in it, in the model's order."""
    for name, field in section.model_fields.items():
        path = (*above, name)
        below = list(sections_of(field.annotation))
        if below and StartTimestamp not in below:
            yield from fields_of(below[0], path)
        else:
            yield _spec(path, field)


def section_help(section: type[Model], path: FieldPath) -> str:
    """Return what the model says about a section at a path."""
    field = section.model_fields[path[0]]
    below = list(sections_of(field.annotation))
    if len(path) > 1 and below:
        return section_help(below[0], path[1:])
    return one_paragraph(field.description)


def one_paragraph(text: str | None) -> str:
    """Return a docstring without its line ends."""
    return " ".join((text or "").split())


def _spec(path: FieldPath, field: FieldInfo) -> FieldSpec:
    leaves = list(_leaves(field.annotation, tuple(field.metadata)))
    kind, choices = _kind(leaves)
    default = "" if field.is_required() else values.shown(field.get_default(), _UNITS.get(kind))
    return FieldSpec(
        path, kind, one_paragraph(field.description), field.is_required(), default, choices
    )


_UNITS = {Kind.SIZE: values.size, Kind.TIME: values.time}
_Leaf = tuple[Any, tuple[Any, ...]]


def _leaves(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[_Leaf]:
    """Yield the types a value may have, but None, with what is annotated to each."""
    if hasattr(annotation, "__metadata__"):  # Annotated[…]
        inner, *more = get_args(annotation)
        yield from _leaves(inner, (*metadata, *more))
    elif get_origin(annotation) in (list, dict, Literal) or not get_args(annotation):
        if annotation is not type(None):
            yield annotation, metadata
    else:
        for each in get_args(annotation):
            yield from _leaves(each, metadata)


def _kind(leaves: list[_Leaf]) -> tuple[Kind, tuple[str, ...]]:
    if len(leaves) > 1:
        return Kind.START, ()
    leaf, metadata = leaves[0]
    origin: Any = get_origin(leaf)
    if origin is Literal:
        return Kind.CHOICE, tuple(map(str, get_args(leaf)))
    if isinstance(leaf, type) and issubclass(leaf, StrEnum):
        return Kind.CHOICE, tuple(each.value for each in leaf)
    if leaf is bool:
        return Kind.BOOL, (values.NO, values.YES)
    return _open_kind(leaf, metadata), ()


def _open_kind(leaf: Any, metadata: tuple[Any, ...]) -> Kind:
    """Return the kind of a field into which anything may be typed."""
    if leaf is SecretRef:
        return Kind.SECRET
    if get_origin(leaf) is list:
        return Kind.LINES
    if get_origin(leaf) is dict:
        inner = get_origin(get_args(leaf)[1])
        return Kind.PINNED if inner is dict else Kind.PAIRS
    read_by = {each.func for each in metadata if isinstance(each, BeforeValidator)}
    if parse_bytes in read_by:
        return Kind.SIZE
    if parse_seconds in read_by:
        return Kind.TIME
    return Kind.NUMBER if leaf in (int, float) else Kind.TEXT
