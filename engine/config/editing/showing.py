"""A configuration file as it may be shown: what is, or may be, a secret is hidden."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.config.editing.edits import HIDDEN
from engine.config.editing.tree import MERGE, Alias, Tree, end_of, read, start_of
from engine.config.problems import KeyPath
from engine.config.secrets import SecretRef
from engine.config.sections import holds_secrets, is_secret, section_at
from engine.printable import printable

CONTEXT_LINES = 3
# A setting that somebody put aside: `# password: hunter2`
_PUT_ASIDE = re.compile(
    r"(#.*?\b[\w.-]*(?:password|passwd|passphrase|secret|token\b)[\w.-]*['\"]?\s*[:=]\s*)(?P<value>.+)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"['\"]?(?:keyring|credential|env|file):\S")


def difference(before: str, after: str, name: str) -> str:
    """Return a unified diff of two texts of the file `name`; empty when they are the same."""
    lines = difflib.unified_diff(
        _shown_lines(before),
        _shown_lines(after),
        f"{name} (as it is)",
        f"{name} (as it would be)",
        lineterm="",
        n=CONTEXT_LINES,
    )
    return "\n".join(map(printable, lines)) if before != after else ""


def without_secrets(data: Any, path: KeyPath = ()) -> Any:
    """Return plain data of a file with HIDDEN in the place of secrets in plain text."""
    if _is_hidden(path, data):
        return HIDDEN
    if isinstance(data, dict):
        return {key: without_secrets(each, (*path, key)) for key, each in data.items()}
    if isinstance(data, list):
        return [without_secrets(each, (*path, index)) for index, each in enumerate(data)]
    return data


def plain_secrets(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield the secrets in plain text, with their paths."""
    if isinstance(data, dict):
        for key, each in data.items():
            yield from plain_secrets(each, (*path, key))
    elif isinstance(data, str) and is_secret(path) and _is_plain(data):
        yield path, data


def _is_plain(value: str) -> bool:
    return bool(value) and SecretRef(value).kind == "plain"


def _is_hidden(path: KeyPath, value: Any) -> bool:
    """Whether a value is a secret, or may be one that stands at a misspelt key."""
    if is_secret(path):
        return not isinstance(value, str) or _is_plain(value)
    section = section_at(path[:-1]) if path else None
    if section is None or path[-1] in section.model_fields:
        return False
    return holds_secrets(section) and not (isinstance(value, str) and _REFERENCE.match(value))


def _shown_lines(text: str) -> list[str]:
    tree = read(text)
    shown, at = "", 0
    for start, end in sorted(_hidden_spans(tree, tree.root, ())) if tree.root else ():
        if start >= at:
            shown += text[at:start] + HIDDEN
            at = end
    shown += text[at:]
    return [_PUT_ASIDE.sub(_aside, line) for line in shown.splitlines()]


def _aside(found: re.Match[str]) -> str:
    return found.group() if _REFERENCE.match(found["value"]) else found[1] + HIDDEN


def _hidden_spans(tree: Tree, node: Node, path: KeyPath) -> Iterator[tuple[int, int]]:
    """Yield where something is written that must not be shown."""
    if isinstance(node, Alias):
        return  # what it means is looked at where it stands
    if _is_hidden(path, node.value if isinstance(node, ScalarNode) else node):
        yield start_of(node), end_of(tree, node)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _hidden_spans(tree, item, (*path, index))
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            below = path if key.tag == MERGE else (*path, key.value)
            if isinstance(key, ScalarNode) and _may_be_value(path, key, value):
                yield start_of(key), end_of(tree, key)
            yield from _hidden_spans(tree, value, below)


def _may_be_value(path: KeyPath, key: ScalarNode, value: Node) -> bool:
    """Whether a key may be the rest of a secret, as in {password: one,two}."""
    section = section_at(path)
    if section is None or key.value in section.model_fields or not holds_secrets(section):
        return False
    return isinstance(value, ScalarNode) and value.value == ""
