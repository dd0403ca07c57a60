"""Random edits of random configuration files: what they mean, and the lines they leave alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.config.editing.editor import edited, values_of
from engine.config.editing.edits import Edit, Put, Remove
from engine.errors import ConfigError
from tests.unit.config_texts import KEYS, NAMES, Line, Text, entries, files, sharing_files, values

QUICK = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
SECTIONS = ["clusters", "flows", "connect"]


@st.composite
def edits_of(draw: st.DrawFn, data: dict[str, Any]) -> Edit:
    """One edit, of something that is there or of something new."""
    section = draw(st.sampled_from(SECTIONS))
    there = data.get(section) or {}
    name = draw(st.sampled_from([*there, *NAMES]))
    if draw(st.integers(0, 3)) == 0 or name not in there:
        whole = (section, name)
        return draw(st.sampled_from([Remove(whole)]) | st.builds(Put, st.just(whole), entries))
    entry = there[name]
    key = draw(st.sampled_from([*entry, *KEYS]))
    path, found = (section, name, key), entry.get(key)
    if isinstance(found, dict) and found and draw(st.booleans()):
        inner = draw(st.sampled_from([*found, *KEYS]))
        path = (*path, inner)
    if isinstance(found, list) and found and len(path) == 3 and draw(st.booleans()):
        changed = draw(st.permutations(found))
        return Put(path, changed[: draw(st.integers(0, len(changed)))] + draw(st.just(["new"])))
    return draw(st.sampled_from([Remove(path)]) | st.builds(Put, st.just(path), values))


def meant(data: dict[str, Any], edit: Edit) -> dict[str, Any]:
    """Make the edit on plain data."""
    result = deepcopy(data)
    above = result
    for key in edit.path[:-1]:
        above = above.setdefault(key, {}) if isinstance(edit, Put) else above.get(key, {})
    if isinstance(edit, Put):
        above[edit.path[-1]] = edit.value
    else:
        above.pop(edit.path[-1], None)
    return result


def at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def may_change(line: Line, edit: Edit, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether an edit may touch a line: it is below the edited key, or holds it on one line."""
    path = line.path
    if path is None or (line.is_comment and len(path) < len(edit.path)):
        return False
    common = min(len(path), len(edit.path))
    if path[:common] != edit.path[:common]:
        return False
    if len(path) >= len(edit.path):
        return not _is_same_part(path, before, after)
    return not line.is_head or not at(before, path) or not at(after, path)


def _is_same_part(path: tuple[str, ...], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a mapping's key keeps its value although more around it is put anew."""
    if path[-1].startswith("["):
        return False
    old = at(before, path)
    return old is not None and repr(old) == repr(at(after, path))


def assert_in_order(wanted: list[str], lines: list[str]) -> None:
    """Fail unless `wanted` are among the lines, in their order."""
    rest = iter(lines)
    for each in wanted:
        assert each in rest, f"{each!r} is gone or changed"


@settings(max_examples=150, deadline=None, phases=QUICK, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_an_edit_means_what_it_says_and_leaves_all_other_lines(data: st.DataObject) -> None:
    text, before = data.draw(files())
    assert yaml.safe_load(str(text)) == before  # the generator's own check
    edit = data.draw(edits_of(before))
    after = edited(str(text), [edit], "ccr.yaml")
    wanted = meant(before, edit)
    assert yaml.safe_load(after) == wanted
    assert values_of(after, "ccr.yaml") == wanted
    kept = [line.text for line in text.lines if not may_change(line, edit, before, wanted)]
    assert_in_order([line for line in kept if line.strip()], after.split(text.newline))
    assert ("\r\n" in after) == ("\r\n" in str(text)) or "\n" not in str(text)


@settings(max_examples=60, deadline=None, phases=QUICK, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_several_edits_are_made_in_their_order(data: st.DataObject) -> None:
    text, before = data.draw(files())
    wanted, edits = before, []
    for _ in range(data.draw(st.integers(2, 4))):
        edits.append(data.draw(edits_of(wanted)))
        wanted = meant(wanted, edits[-1])
    after = edited(str(text), edits, "ccr.yaml")
    assert yaml.safe_load(after) == wanted
    free = [line.text for line in text.lines if line.path is None and line.text.strip()]
    removed = [edit.path for edit in edits]
    if all(len(path) > 2 or path[0] not in before for path in removed):
        assert_in_order(
            [each for each in free if not each.startswith(" ")], after.split(text.newline)
        )


@settings(max_examples=60, deadline=None, phases=QUICK, suppress_health_check=list(HealthCheck))
@given(files())
def test_putting_back_what_is_there_changes_nothing(file: tuple[Text, dict[str, Any]]) -> None:
    text, data = file
    edits = [
        Put((key, name), entry) for key in SECTIONS for name, entry in data.get(key, {}).items()
    ]
    assert edited(str(text), edits, "ccr.yaml") == str(text)


@settings(max_examples=100, deadline=None, phases=QUICK, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_where_entries_share_values_only_what_was_meant_changes(data: st.DataObject) -> None:
    text, before = data.draw(sharing_files())
    assert yaml.safe_load(str(text)) == before
    edit = data.draw(edits_of(before))
    try:
        after = edited(str(text), [edit], "ccr.yaml")
    except ConfigError:
        assert "&base" in str(text)  # refused: what others refer to cannot go
        return
    assert yaml.safe_load(after) == meant(before, edit)
    free = [line.text for line in text.lines if line.path is None and line.text.strip()]
    assert_in_order(free, after.split(text.newline))
