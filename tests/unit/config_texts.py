"""Random configuration files for tests: every line knows which key it is about."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

NAMES = ["a", "b", "east", "west-2", "dr.1", "x_y", "flow"]
KEYS = ["source", "topics", "limits", "tls", "note", "yes key", "it's", "schlüssel", "n"]
ODD_TEXTS = [
    "", "~", "null", "yes", "no", "on", "12:30", "0x1f", "1e3", "1_000", "2026-11-01", "=", "<<",
    " leading", "trailing ", "a # b", "a: b", "# c", "- d", "it's", 'say "x"', "back\\slash",
    "two\nlines", "tab\there", "ünïcödé", "日本語", "🦔", "[x]", "{y}", "a, b", "*star", "&amp",
    "!t", "%p", "@at", "`tick", "keyring:primary/ccr", "kafka-1.example:9092", "orders\\..*", ".*",
]  # fmt: skip

texts = st.sampled_from(ODD_TEXTS) | st.text(
    st.characters(exclude_categories=("Cs", "Cc")), max_size=12
)
scalars = (
    texts | st.integers(-(10**6), 10**12) | st.booleans() | st.sampled_from([0.5, -1.25, 1024.0])
)
lists = st.lists(texts, max_size=4)
values: st.SearchStrategy[Any] = (
    scalars | lists | st.dictionaries(st.sampled_from(KEYS), scalars | lists, max_size=3)
)
entries = st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=4)
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9.-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True)
class Line:
    """A line, and the key path that it is about; a comment between entries is about none."""

    text: str
    path: tuple[str, ...] | None
    is_head: bool = False
    """Only a key, whose value is on lines of its own."""
    is_comment: bool = False


@dataclass
class Text:
    """A file as lines."""

    lines: list[Line] = field(default_factory=list)
    newline: str = "\n"
    ends: bool = True

    def __str__(self) -> str:
        joined = self.newline.join(line.text for line in self.lines)
        return joined + self.newline if self.ends else joined


def scalar_text(draw: st.DrawFn, value: Any) -> str:
    """Write a scalar in one of the forms that mean it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    forms = [json.dumps(value, ensure_ascii=False)]
    if value.isprintable():
        forms.append("'" + value.replace("'", "''") + "'")
    if _SAFE.fullmatch(value) and value.lower() not in _WORDS:
        forms.append(value)
    return draw(st.sampled_from(forms))


def flow_text(draw: st.DrawFn, value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, dict):
        inner = (f"{scalar_text(draw, k)}: {flow_text(draw, v)}" for k, v in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow_text(draw, each) for each in value) + "]"
    return scalar_text(draw, value)


comments = st.sampled_from(
    ["", "", "", "  # plain", " # with: colon", "  # tab\tin it", " # ünï 'quote"]
)


def write(
    draw: st.DrawFn, text: Text, key: str, value: Any, path: tuple[str, ...], at: int
) -> None:
    """Write `key: value` as lines from a column on, with comments here and there."""
    indent, path, above = " " * at, (*path, key), path
    if draw(st.integers(0, 5)) == 0:
        text.lines.append(Line(f"{indent}# above {len(text.lines)}", above, is_comment=True))
    if draw(st.integers(0, 8)) == 0:
        text.lines.append(Line("", None))
    head = f"{indent}{scalar_text(draw, key)}:"
    tail = draw(comments)
    step = draw(st.sampled_from([2, 2, 4]))
    in_lines = isinstance(value, dict | list) and value and draw(st.booleans())
    if not in_lines:
        text.lines.append(Line(f"{head} {flow_text(draw, value)}{tail}", path))
        return
    text.lines.append(Line(head + tail, path, is_head=True))
    if isinstance(value, list):
        deeper = " " * draw(st.sampled_from([at, at + 2]))
        for index, each in enumerate(value):
            item = f"{deeper}- {flow_text(draw, each)}{draw(comments)}"
            text.lines.append(Line(item, (*path, f"[{index}]")))
    else:
        for name, each in value.items():
            write(draw, text, name, each, path, at + step)
        if draw(st.integers(0, 5)) == 0:
            text.lines.append(
                Line(f"{indent}{' ' * step}# inside {len(text.lines)}", path, is_comment=True)
            )


@st.composite
def files(draw: st.DrawFn) -> tuple[Text, dict[str, Any]]:
    """A file and what it means."""
    data: dict[str, Any] = {"version": 1}
    for section in ("clusters", "flows", "connect"):
        if section != "connect" or draw(st.booleans()):
            names = st.dictionaries(st.sampled_from(NAMES), entries, max_size=3)
            data[section] = draw(names)
    text = Text(newline=draw(st.sampled_from(["\n", "\n", "\r\n"])), ends=draw(st.booleans()))
    if draw(st.booleans()):
        text.lines.append(Line("# top", None))
    if draw(st.booleans()):
        text.lines.append(Line("---", None))
    for key, value in data.items():
        write(draw, text, key, value, (), 0)
    if draw(st.booleans()):
        text.lines.append(Line("# the end", None))
    return text, data


@st.composite
def sharing_files(draw: st.DrawFn) -> tuple[Text, dict[str, Any]]:
    """A file in which some entry takes in an earlier one by `<<`, where there are two in lines."""
    text, data = draw(files())
    heads = [at for at, line in enumerate(text.lines) if line.is_head and len(line.path or ()) == 2]
    mappings = [at for at in heads if isinstance(_at(data, text.lines[at].path or ()), dict)]
    if len(mappings) < 2:
        return text, data
    first, second = sorted(draw(st.permutations(mappings))[:2])
    one, other = text.lines[first], text.lines[second]
    assert one.path
    assert other.path
    key, _, rest = one.text.partition(":")
    child = next(line for line in text.lines[second:] if line.path and line.path[:-1] == other.path)
    column = len(child.text) - len(child.text.lstrip())
    text.lines[first] = Line(f"{key}: &base{rest}", one.path, is_head=True)
    text.lines.insert(second + 1, Line(" " * column + "<<: *base", (*other.path, "<<")))
    for name, value in _at(data, one.path).items():
        _at(data, other.path).setdefault(name, value)
    return text, data


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data[key]
    return data
