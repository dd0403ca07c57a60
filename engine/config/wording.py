"""What pydantic found, told in plain sentences that follow `file:line: key.path: `.

No sentence repeats a value of the file: any of them may be a password in the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydantic_core import ErrorDetails

from engine.config.flow_section import TIME_FORM
from engine.config.nearest import did_you_mean, listed, nearest, same
from engine.config.problems import KeyPath
from engine.config.sections import section_at, subsections

_KEY_MARK = "[key]"
_MAPPING = "must be a mapping: indented `key: value` lines"
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "string_pattern_mismatch": (
            "must be a name of at most 81 letters, digits, '.', '_' and '-',"
            " the first a letter or digit"
        ),
        "string_too_short": "must not be empty",
        "too_short": "needs at least one item",
        "list_type": "must be a list: [a, b], or lines that begin with -",
        "dict_type": _MAPPING,
        "model_type": _MAPPING,
        "bool_type": "must be true or false",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "int_parsing_size": "is too large a number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "datetime_type": TIME_FORM,
        "datetime_parsing": TIME_FORM,
        "datetime_from_date_parsing": TIME_FORM,
        "datetime_object_invalid": TIME_FORM,
    }
)
_BOUNDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "greater_than": ("must be more than", "gt"),
        "greater_than_equal": ("must be at least", "ge"),
        "less_than": ("must be less than", "lt"),
        "less_than_equal": ("must be at most", "le"),
    }
)


def path_of(error: ErrorDetails) -> KeyPath:
    """Return the error's path in the file, without pydantic's own marks (tags and `[key]`)."""
    return tuple(part for part in error["loc"] if not _is_mark(part))


def is_about_key(error: ErrorDetails) -> bool:
    """Whether the key is wrong rather than its value."""
    return error["type"] == "extra_forbidden" or error["loc"][-1:] == (_KEY_MARK,)


def suggestion(path: KeyPath) -> str | None:
    """Return the key of the model that an unknown key at the path was most likely meant to be.

    One that belongs into a section below is named with it: `topics.include`.
    """
    section, key = section_at(path[:-1]), str(path[-1])
    if section is None:
        return None
    found = same(key, section.model_fields)
    if found is None:
        for name, below in subsections(section).items():
            inner = same(key, below.model_fields)
            if inner is not None:
                return f"{name}.{inner}"
    return found or nearest(key, section.model_fields)


def sentence(error: ErrorDetails, value: object) -> str:
    """Describe the error; `value` is what the file has there."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path_of(error))
    if kind == "missing":
        return _missing(path_of(error))
    if value is None and not is_about_key(error) and not _tells_of_absence(error):
        return "has no value; give it one, or leave the key out"
    teller = _TELLERS.get(kind)
    return teller(error, value) if teller else _simply(error)


def _unknown_key(path: KeyPath) -> str:
    section = section_at(path[:-1])
    if section is None:
        return "is not a known key"
    found = suggestion(path)
    hint = f"; did you mean {found!r}?" if found else f"; known are {listed(section.model_fields)}"
    return f"is not a known key of {section.noun}{hint}"


def _missing(path: KeyPath) -> str:
    section = section_at(path[:-1])
    field = section.model_fields.get(str(path[-1])) if section else None
    meaning = (field.description or "").rstrip(".") if field else ""
    return f"is missing: {meaning}" if meaning else "is missing"


def _choice(error: ErrorDetails, value: object) -> str:
    expected = str(error.get("ctx", {}).get("expected", ""))
    candidates = [part for part in expected.split("'") if part.strip(", ") not in ("", "or")]
    hint = did_you_mean(value, candidates) if isinstance(value, str) else ""
    return f"must be {expected.replace(chr(39), '')}{hint}"


def _text(error: ErrorDetails, value: object) -> str:
    quotes = "" if isinstance(value, list | dict) else "; put it in quotes"
    return f"must be text{quotes}"


def _own(error: ErrorDetails, value: object) -> str:
    return str(error.get("ctx", {}).get("error", error["msg"]))


def _tells_of_absence(error: ErrorDetails) -> bool:
    """Whether a key that may be left out by itself is needed for what another one says."""
    return error["type"] == "value_error" and _own(error, None).startswith("is missing")


def _simply(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {error.get('ctx', {}).get(bound)}"
    return _PLAIN.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _is_mark(part: str | int) -> bool:
    return part == _KEY_MARK or (isinstance(part, str) and part[:1] + part[-1:] == "<>")


_TELLERS: Mapping[str, Callable[[ErrorDetails, object], str]] = MappingProxyType(
    {
        "literal_error": _choice,
        "enum": _choice,
        "string_type": _text,
        "value_error": _own,
    }
)
