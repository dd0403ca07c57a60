"""Splicing in braces and brackets: {a: 1, b: [x, y]}, on one line or on several."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.nodes import MappingNode, Node, SequenceNode

from engine.config.editing import rendering
from engine.config.editing.differences import Add, Change, Difference
from engine.config.editing.tree import (
    Tree,
    anchor_of,
    end_of,
    merge_index,
    quotes_of,
    start_of,
)

_COMMA = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*,")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class _Part:
    """An item, or a key with its value."""

    start: int
    end: int


def splice(tree: Tree, above: MappingNode | SequenceNode, difference: Difference) -> str:
    """Return the text with the difference made inside of `above`; raises CannotSpliceError."""
    name = difference.path[-1]
    keys = [key.value for key, _ in above.value] if isinstance(above, MappingNode) else None
    if isinstance(difference, Add):
        return _added(tree, above, keys, difference)
    if keys is None:
        index = int(name)
    elif name in keys:
        index = keys.index(name)
    elif isinstance(difference, Change):  # from <<: our own takes its place
        return _added(tree, above, keys, Add(difference.path, difference.value))
    else:
        index = merge_index(above)  # its other keys are put back next
    if isinstance(difference, Change):
        return _changed(tree, above, index, difference.value)
    return _without(tree, _parts(tree, above), index)


def _parts(tree: Tree, above: MappingNode | SequenceNode) -> list[_Part]:
    if isinstance(above, MappingNode):
        return [_Part(start_of(key), end_of(tree, value)) for key, value in above.value]
    return [_Part(start_of(item), end_of(tree, item)) for item in above.value]


def _changed(tree: Tree, above: MappingNode | SequenceNode, index: int, value: object) -> str:
    key: Node | None = None
    old: Node = above.value[index]
    if isinstance(above, MappingNode):
        key, old = above.value[index]
    start, end = start_of(old), end_of(tree, old)
    written = rendering.inline(value, quotes_of(old))
    if start == end and key is not None:
        at: int = key.end_mark.index
        colon = tree.text.find(":", at, max(start, at))
        return (
            _with(tree, colon + 1, f" {written}") if colon >= 0 else _with(tree, at, f": {written}")
        )
    anchor = anchor_of(tree, old).strip()
    spaced = f"{anchor} " if anchor else ""
    return f"{tree.text[:start]}{spaced}{written}{tree.text[end:]}"


def _added(tree: Tree, above: MappingNode | SequenceNode, keys: list[str] | None, new: Add) -> str:
    parts = _parts(tree, above)
    written = rendering.inline(new.value)
    index = len(parts)  # where it goes
    if keys is None:
        index = int(new.path[-1])
    else:
        written = f"{rendering.key(str(new.path[-1]))}: {written}"
        if new.after in keys and not new.is_last:
            index = keys.index(new.after) + 1
        elif not new.is_last:
            index = 0
    if not parts:
        return _with(tree, end_of(tree, above) - 1, written)
    if index < len(parts):
        return _with(tree, parts[index].start, f"{written}, ")
    return _behind(tree, parts[-1], written)


def _behind(tree: Tree, last: _Part, written: str) -> str:
    """Add at the end: on a line of its own where the last one has one."""
    comma = _COMMA.match(tree.text, last.end)
    indent = tree.text[tree.line_start(last.start) : last.start]
    line_end = _REST_OF_LINE.match(tree.text, comma.end() if comma else last.end)
    if indent.strip() or line_end is None:
        return _with(tree, last.end, f", {written}")
    at = line_end.end()
    before = tree.text[:at] if comma else f"{tree.text[: last.end]},{tree.text[last.end : at]}"
    tail = "," if comma else ""
    return f"{before}{tree.newline}{indent}{written}{tail}{tree.text[at:]}"


def _without(tree: Tree, parts: list[_Part], index: int) -> str:
    part = parts[index]
    comma = _COMMA.match(tree.text, part.end)
    behind = comma.end() if comma else part.end
    start, end = part.start, behind
    line = tree.line_start(part.start)
    if not tree.text[line : part.start].strip() and _REST_OF_LINE.match(tree.text, behind):
        start, end = line, tree.next_line(behind)
    elif index + 1 < len(parts):
        gap = tree.text[behind : parts[index + 1].start]
        end = behind if "#" in gap else parts[index + 1].start
    elif index and "#" not in tree.text[parts[index - 1].end : part.start]:
        start, end = parts[index - 1].end, part.end
    return tree.text[:start] + tree.text[end:]


def _with(tree: Tree, at: int, text: str) -> str:
    return tree.text[:at] + text + tree.text[at:]
