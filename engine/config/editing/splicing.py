"""One difference made in a text, by cutting at the marks of YAML's nodes: nothing else changes.

Comments on and below an entry's own lines go with it; those above it stay, whatever they are about.
"""

from __future__ import annotations

import re
from itertools import pairwise

from yaml.nodes import MappingNode, Node, SequenceNode

from engine.config.editing import flow_style, rendering
from engine.config.editing.differences import Add, Change, Difference, Drop
from engine.config.editing.tree import (
    Alias,
    CannotSpliceError,
    Pair,
    Tree,
    anchor_of,
    end_of,
    is_block,
    line_end,
    merge_index,
    next_line,
    own_pair,
    quotes_of,
    start_of,
)
from engine.config.problems import KeyPath

DEFAULT_STEP = 2


def splice(tree: Tree, difference: Difference) -> str:
    """Return the text with the difference made; raises CannotSpliceError."""
    if not difference.path:
        raise CannotSpliceError
    above = _node_at(tree, difference.path[:-1])
    if above is None and isinstance(difference, Add):
        return _appended(tree, difference)
    if not isinstance(above, MappingNode | SequenceNode):
        raise CannotSpliceError
    if above.flow_style:
        return flow_style.splice(tree, above, difference)
    if isinstance(above, SequenceNode):
        return _in_list(tree, above, difference)
    return _in_mapping(tree, above, difference)


def _node_at(tree: Tree, path: KeyPath) -> Node | None:
    """Return the node itself; None when there is none of its own, or an alias stands there."""
    node: Node | None = tree.root
    for part in path:
        if isinstance(node, SequenceNode) and isinstance(part, int):
            node = node.value[part]
        else:
            pair = own_pair(node, part) if node is not None else None
            if pair is None:
                raise CannotSpliceError
            node = pair[1]
        if isinstance(node, Alias):
            raise CannotSpliceError
    return node


# mappings of lines


def _in_mapping(tree: Tree, above: MappingNode, difference: Difference) -> str:
    name = difference.path[-1]
    if isinstance(difference, Add):
        return _added(tree, above, difference)
    pair = own_pair(above, name)
    if pair is None:
        if isinstance(difference, Change):  # from <<: our own takes its place
            return _added(tree, above, Add(difference.path, difference.value))
        return _without(tree, above.value[merge_index(above)])  # its other keys are put back next
    if isinstance(difference, Drop):
        return _without(tree, pair)
    return _changed(tree, above, pair, difference.value)


def _added(tree: Tree, above: MappingNode, new: Add) -> str:
    pairs: list[Pair] = above.value
    column = pairs[0][0].start_mark.column
    behind = next((pair for pair in pairs if pair[0].value == new.after), None)
    lines = rendering.pair(str(new.path[-1]), new.value, column, _step(tree, above))
    if behind is None and not new.is_last:
        at = _line_of_its_own(tree, pairs[0])
        return _inserted(tree, at, lines)
    if behind is None or new.is_last:
        behind = pairs[-1]
    at = _end_of_lines(tree, end_of(tree, behind[1]), column)
    if _spaced(tree, pairs):
        lines.insert(0, "")
    return _inserted(tree, at, lines)


def _without(tree: Tree, pair: Pair) -> str:
    start = _line_of_its_own(tree, pair)
    column = pair[0].start_mark.column
    end = _end_of_lines(tree, end_of(tree, pair[1]), column)
    above = tree.line_start(start - 1) if start else 0
    blank_above = not start or not tree.line(above).strip()
    if blank_above and end < len(tree.text) and not tree.line(end).strip():
        end = tree.next_line(end)  # not two empty lines where one was on either side
    return tree.text[:start] + tree.text[end:]


def _changed(tree: Tree, above: MappingNode, pair: Pair, value: object) -> str:
    key, old = pair
    start, end = start_of(old), end_of(tree, old)
    if ":" not in tree.text[key.end_mark.index : max(start, key.end_mark.index)]:
        raise CannotSpliceError  # `? key`, or `key` alone
    column = key.start_mark.column
    room = column + len(rendering.key(str(key.value))) + 2
    keeps_braces = isinstance(old, MappingNode) and old.flow_style and old.value
    keeps_lines = is_block(old) and isinstance(value, list)
    if keeps_braces or (rendering.fits(value, room) and not (keeps_lines and value)):
        return _on_the_line(tree, old, rendering.inline(value, quotes_of(old)))
    lines = rendering.block(value, column + _step(tree, above), _step(tree, above))
    if is_block(old):
        first = tree.line_start(_first_child(old))
        if first <= start_of(old) and anchor_of(tree, old):
            raise CannotSpliceError
        cut = tree.text[:first] + tree.text[tree.next_line(end) :]
        return _insert(cut, first, lines, tree.newline)
    anchor = anchor_of(tree, old)
    kept = tree.text[:start].rstrip(" \t") + (f" {anchor.strip()}" if anchor else "")
    cut = kept + tree.text[end:]
    if not _only_comment(cut, len(kept)):
        raise CannotSpliceError
    return _insert(cut, next_line(cut, len(kept)), lines, tree.newline)


def _on_the_line(tree: Tree, old: Node, written: str) -> str:
    """Put a value of one line in the place of another value, behind its anchor if it has one."""
    start, end = start_of(old), end_of(tree, old)
    anchor = anchor_of(tree, old)
    if not is_block(old):
        behind = tree.text[start - 1 : start]
        gap = "" if behind.isspace() or not behind else " "
        spaced = f"{anchor.rstrip()} " if anchor else ""
        return f"{tree.text[:start]}{gap}{spaced}{written}{tree.text[end:]}"
    first = tree.line_start(_first_child(old))
    at = start + len(anchor.rstrip()) if anchor else _behind_colon(tree, first)
    rest = tree.text[at:first]
    return f"{tree.text[:at]} {written}{rest}{tree.text[tree.next_line(end) :]}"


def _behind_colon(tree: Tree, first: int) -> int:
    """Return where a value would begin whose lines begin at `first`: behind its key's colon."""
    line = tree.line_start(first - 1) if first else 0
    while line and not tree.line(line).partition("#")[0].strip():
        line = tree.line_start(line - 1)  # comments and empty lines between key and value
    head = re.match(
        r"\s*(?:'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|[^#'\"]*?):(?=\s|$)", tree.line(line)
    )
    if head is None:
        raise CannotSpliceError
    return line + head.end()


# lists of lines


def _in_list(tree: Tree, above: SequenceNode, difference: Difference) -> str:
    items: list[Node] = above.value
    index = int(difference.path[-1])
    if isinstance(difference, Change):
        old = items[index]
        if is_block(old) or isinstance(difference.value, dict):
            raise CannotSpliceError
        return _on_the_line(tree, old, rendering.inline(difference.value, quotes_of(old)))
    column = _dash(tree, items[0]) - tree.line_start(_dash(tree, items[0]))
    if isinstance(difference, Add):
        line = " " * column + f"- {rendering.inline(difference.value)}"
        if index < len(items):
            return _inserted(tree, tree.line_start(_dash(tree, items[index])), [line])
        at = _end_of_lines(tree, end_of(tree, items[-1]), column)
        return _inserted(tree, at, [line])
    if len(items) == 1:
        raise CannotSpliceError
    start = tree.line_start(_dash(tree, items[index]))
    end = _end_of_lines(tree, end_of(tree, items[index]), column)
    return tree.text[:start] + tree.text[end:]


def _dash(tree: Tree, item: Node) -> int:
    """Return where an item's dash is; raises CannotSpliceError when not alone before it."""
    start = tree.line_start(start_of(item))
    before = tree.text[start : start_of(item)]
    if before.strip() != "-":
        raise CannotSpliceError
    return start + before.index("-")


# lines


def _appended(tree: Tree, new: Add) -> str:
    """Put the first entry into a text that has only comments so far."""
    lines = rendering.pair(str(new.path[-1]), new.value, 0, DEFAULT_STEP)
    return _insert(tree.text, len(tree.text), lines, tree.newline)


def _line_of_its_own(tree: Tree, pair: Pair) -> int:
    start = tree.line_start(start_of(pair[0]))
    if tree.text[start : start_of(pair[0])].strip(" \ufeff"):
        raise CannotSpliceError
    return start


def _end_of_lines(tree: Tree, end: int, column: int) -> int:
    """Return where the lines end that belong to what ends at `end` and began at a column.

    Comments that follow further in belong to it; what else is on its last line must be one.
    """
    if not _only_comment(tree.text, end):
        raise CannotSpliceError
    at = seen = tree.next_line(end)
    while seen < len(tree.text):
        line = tree.line(seen)
        inside = line.lstrip(" \t").startswith("#") and len(line) - len(line.lstrip(" ")) > column
        if line.strip() and not inside:
            break
        seen = tree.next_line(seen)
        at = seen if inside else at
    return at


def _only_comment(text: str, at: int) -> bool:
    """Whether nothing but a comment follows on the line."""
    return text[at : line_end(text, at)].lstrip(" \t")[:1] in ("", "#")


def _spaced(tree: Tree, pairs: list[Pair]) -> bool:
    """Whether an empty line stands between each two of the entries."""
    return len(pairs) > 1 and all(
        re.search(r"\n[ \t]*\r?\n", tree.text[end_of(tree, one[1]) : start_of(other[0])])
        for one, other in pairwise(pairs)
    )


def _step(tree: Tree, above: Node) -> int:
    """Return by how much the file indents: as near by as can be seen, else as at its top."""
    for node in (above, tree.root):
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if isinstance(value, MappingNode) and is_block(value):
                    step: int = _column(value) - key.start_mark.column
                    if step > 0:
                        return step
    return DEFAULT_STEP


def _column(node: MappingNode) -> int:
    column: int = node.value[0][0].start_mark.column
    return column


def _first_child(node: Node) -> int:
    first = node.value[0]
    return start_of(first[0] if isinstance(node, MappingNode) else first)


def _inserted(tree: Tree, at: int, lines: list[str]) -> str:
    return _insert(tree.text, at, lines, tree.newline)


def _insert(text: str, at: int, lines: list[str], newline: str) -> str:
    """Insert lines where a line begins, or at the end, which may lack its line break."""
    block = newline.join(lines)
    if at < len(text) or not text or text[-1] in "\r\n\x85\u2028\u2029":
        return f"{text[:at]}{block}{newline}{text[at:]}"
    return f"{text}{newline}{block}"
