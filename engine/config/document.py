"""A YAML text as plain data in which every key and value still knows its place.

PyYAML composes the nodes; this module turns them into data, refuses what a configuration has no use
for (duplicate keys, tags, keys that are not text), and resolves `<<` merges. No message repeats a
value: it may be a password that was not quoted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.config.problems import InvalidConfigError, KeyPath, Problem
from engine.config.yaml_errors import syntax_problem

MAX_NODES = 100_000
MAX_BRACKETS = 50  # one within another
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT = f"{_TAG}str"
_READ_AS_THEY_STAND = {f"{_TAG}value", _MERGE}  # a plain = or << as a value
_TAGS = {
    f"{_TAG}{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge")
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is told about: its key, or itself. Lines and columns count from 1."""

    key_line: int
    key_column: int
    value_line: int
    value_column: int
    is_section: bool = False
    """The value is a mapping or list, which is best pointed at by its key."""
    is_empty: bool = False
    in_braces: bool = False
    """As in `{password: a,b}`, where b may be no key but the rest of a value without quotes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with the document itself."""

    path: KeyPath
    text: str
    place: Place


@dataclass(slots=True)
class Document:
    """What a file says. A value that could not be read is None, and has its finding."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def nearest(self, path: KeyPath) -> Place | None:
        """Return the place of the path, or of its nearest ancestor that is in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)


def parse(text: str, file: str) -> Document:
    """Read the text; raises InvalidConfigError for what is not YAML, or no mapping at all."""
    loader: BoundedLoader | None = None
    try:
        loader = BoundedLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise _whole_file(file, "it is empty")
        if not isinstance(root, MappingNode):
            raise _whole_file(file, "it is not a mapping of keys to values")
        return _Reader(loader).read(root)
    except yaml.YAMLError as error:
        raise InvalidConfigError(file, [syntax_problem(error, text, file)]) from None
    except (RecursionError, TooLargeError):
        raise _whole_file(file, "its values are nested without end, or far too many") from None
    finally:
        if loader is not None:
            loader.dispose()


def _whole_file(file: str, text: str) -> InvalidConfigError:
    step = "Run `ccr config init` for a starter"
    return InvalidConfigError(file, [Problem(file, text, next_step=step)])


class TooLargeError(Exception):
    """More nodes than any configuration has; aliases can multiply a few lines into billions."""


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's time grows with the square of the depth of brackets: some kB would take minutes."""

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        if self.flow_level >= MAX_BRACKETS:
            raise TooLargeError
        super().fetch_flow_collection_start(token_class)


@dataclass(frozen=True, slots=True)
class _Pair:
    key: str
    value: Node
    place: Place


class _Reader:
    """Turns nodes into data."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._document = Document()
        self._nodes = 0

    def read(self, root: MappingNode) -> Document:
        self._document.data = self._mapping(root, ())
        return self._document

    def _value(self, node: Node, path: KeyPath, place: Place) -> Any:
        self._count()
        self._document.places.setdefault(path, place)
        if node.tag not in _TAGS:
            text = "has a YAML tag (!…), which is of no use here; quote the value if it is text"
            return self._found(path, text, place)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [
                self._value(item, (*path, index), _item_place(item))
                for index, item in enumerate(node.value)
            ]
        return self._scalar(node, path, place)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise TooLargeError

    def _found(self, path: KeyPath, text: str, place: Place) -> None:
        self._document.findings.append(Finding(path, text, place))

    def _scalar(self, node: Node, path: KeyPath, place: Place) -> Any:
        if node.tag in _READ_AS_THEY_STAND:
            return node.value
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError, LookupError, AttributeError):
            text = "reads as a date or a number, but there is none such; quote it if it is text"
            return self._found(path, text, place)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        pairs: dict[str, _Pair] = {}
        for pair in self._own_pairs(node, path):
            first = pairs.setdefault(pair.key, pair)
            if first is not pair:
                text = f"is there twice, first on line {first.place.key_line}"
                self._found((*path, pair.key), text, pair.place)
        for pair in self._merged_pairs(node, path):
            pairs.setdefault(pair.key, pair)
        return {
            key: self._value(pair.value, (*path, key), pair.place) for key, pair in pairs.items()
        }

    def _own_pairs(self, node: MappingNode, path: KeyPath) -> Iterator[_Pair]:
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            place = _pair_place(node, key, value)
            if isinstance(key, ScalarNode) and key.tag == _TEXT:
                yield _Pair(key.value, value, place)
            else:
                self._found(path, "has a key here that is not text; put it in quotes", place)

    def _merged_pairs(self, node: MappingNode, path: KeyPath) -> Iterator[_Pair]:
        """Yield the pairs of what `<<` names, the nearest first."""
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                self._count()
                if isinstance(source, MappingNode):
                    yield from self._own_pairs(source, path)
                    yield from self._merged_pairs(source, path)
                else:
                    text = "merges (<<) what is not a mapping"
                    self._found(path, text, _pair_place(node, key, value))


def _item_place(item: Node) -> Place:
    line, column = item.start_mark.line + 1, item.start_mark.column + 1
    return Place(line, column, line, column)


def _pair_place(mapping: MappingNode, key: Node, value: Node) -> Place:
    return Place(
        key.start_mark.line + 1,
        key.start_mark.column + 1,
        value.start_mark.line + 1,
        value.start_mark.column + 1,
        is_section=not isinstance(value, ScalarNode),
        is_empty=value.value == "",
        in_braces=bool(mapping.flow_style),
    )
