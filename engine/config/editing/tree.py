"""A YAML text as nodes that know their place in it, for splicing; and the same as plain data.

Unlike `engine.config.document` it keeps what is the same data but not the same text: aliases stay
aliases. Times are read as the text that is written there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.events import AliasEvent
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from engine.config.document import BoundedLoader

TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
_TIME = f"{TAG}timestamp"
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # YAML 1.1's
_ANCHOR = re.compile(r"&\S+[ \t]*")
Pair: TypeAlias = tuple[Node, Node]


class CannotSpliceError(Exception):
    """The text has a form here that is not spliced; its surroundings are written anew instead."""


class Alias(Node):
    """`*name`: `value` is the node that is meant."""

    id = "alias"
    value: Node


class _Composer(BoundedLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = None
        if self.check_event(AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        if event is None or node is None:
            return node
        return Alias(node.tag, node, event.start_mark, event.end_mark)


@dataclass(frozen=True, slots=True)
class Tree:
    """One text. `root` is None when there is nothing in it but comments."""

    text: str
    root: MappingNode | None
    data: dict[str, Any]

    def line_start(self, at: int) -> int:
        """Return where the line begins that `at` is in."""
        return line_start(self.text, at)

    def line_end(self, at: int) -> int:
        """Return where the line ends that `at` is in, before its line break."""
        return line_end(self.text, at)

    def next_line(self, at: int) -> int:
        """Return where the next line begins, or the end of the text."""
        return next_line(self.text, at)

    def line(self, start: int) -> str:
        """Return the line that begins at `start`, without its break."""
        return self.text[start : self.line_end(start)]

    @property
    def newline(self) -> str:
        """The line break that the text uses."""
        found = _BREAK.search(self.text)
        return found.group() if found else "\n"


def read(text: str) -> Tree:
    """Read a text; raises yaml.YAMLError, and ValueError for what is no mapping."""
    loader = _Composer(text)
    try:
        root = loader.get_single_node()
        if root is not None and not isinstance(root, MappingNode):
            raise ValueError("not a mapping")
        data = _data(loader, root) if root is not None else {}
    finally:
        loader.dispose()
    return Tree(text, root, data)


def _data(loader: yaml.SafeLoader, node: Node) -> Any:
    if isinstance(node, Alias):
        return _data(loader, node.value)
    if isinstance(node, MappingNode):
        return _mapping(loader, node)
    if isinstance(node, SequenceNode):
        return [_data(loader, item) for item in node.value]
    if node.tag in (_TIME, MERGE, f"{TAG}value"):
        return node.value
    return loader.construct_object(node)


def _mapping(loader: yaml.SafeLoader, node: MappingNode) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in node.value:
        if key.tag != MERGE:
            data[key.value] = _data(loader, value)
    for source in merged(node):
        for key, each in _mapping(loader, source).items():
            data.setdefault(key, each)
    return data


def merged(node: MappingNode) -> Iterator[MappingNode]:
    """Yield what `<<` takes in, the nearest first."""
    for key, value in node.value:
        if key.tag == MERGE:
            named = target(value)
            for source in named.value if isinstance(named, SequenceNode) else [named]:
                mapping = target(source)
                if isinstance(mapping, MappingNode):
                    yield mapping


def merge_index(node: Node) -> int:
    """Return which of a mapping's pairs is `<<`; raises CannotSpliceError without one."""
    for index, (key, _) in enumerate(node.value if isinstance(node, MappingNode) else ()):
        if key.tag == MERGE:
            return index
    raise CannotSpliceError


def target(node: Node) -> Node:
    """Return the node itself, or the one that an alias means."""
    return target(node.value) if isinstance(node, Alias) else node


def own_pair(node: Node, key: str | int) -> Pair | None:
    """Return a mapping's own pair by its key, without what `<<` takes in."""
    for name, value in node.value if isinstance(node, MappingNode) else ():
        if name.tag != MERGE and name.value == key:
            return name, value
    return None


def is_block(node: Node) -> bool:
    """Whether it is a mapping or list of lines, not one in braces or brackets."""
    return isinstance(node, CollectionNode) and not node.flow_style


def start_of(node: Node) -> int:
    """Return where a node's text begins, its anchor included."""
    start: int = node.start_mark.index
    return start


def end_of(tree: Tree, node: Node) -> int:
    """Return where a node's text ends; PyYAML lets lines of it end at what follows them."""
    if is_block(node) and node.value:
        last = node.value[-1]
        return end_of(tree, last[1] if isinstance(node, MappingNode) else last)
    end: int = node.end_mark.index
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return start_of(node) + len(tree.text[start_of(node) : end].rstrip())
    return end


def anchor_of(tree: Tree, node: Node) -> str:
    """Return `&name ` as it stands before a value: what refers to it must still find it."""
    found = _ANCHOR.match(tree.text, start_of(node)) if not isinstance(node, Alias) else None
    return found.group() if found else ""


def quotes_of(node: Node) -> str | None:
    """Return the quotes that a text has, for the one that takes its place."""
    style = node.style if isinstance(node, ScalarNode) else None
    return style if style in ("'", '"') else None


def line_start(text: str, at: int) -> int:
    """Return where the line begins that `at` is in."""
    start = 0
    for found in _BREAK.finditer(text, 0, at):
        start = found.end()
    return start


def line_end(text: str, at: int) -> int:
    """Return where the line ends that `at` is in, before its line break."""
    found = _BREAK.search(text, at)
    return found.start() if found else len(text)


def next_line(text: str, at: int) -> int:
    """Return where the next line begins, or the end of the text."""
    found = _BREAK.search(text, at)
    return found.end() if found else len(text)
