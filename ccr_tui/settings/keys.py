"""Keys as a user wants them: which are none, and which would mean two things at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from textual.keys import Keys, _character_to_key

from ccr_tui.actions import GLOBAL, TABLE, Action, ActionRegistry, Scope, is_text, key_name
from ccr_tui.places import Place
from ccr_tui.screens.dialogs.actions import DIALOG
from ccr_tui.screens.welcome.actions import ANYWHERE, REPORT, START, WELCOME
from engine.config.nearest import did_you_mean
from engine.config.problems import KeyPath

Wrong = tuple[KeyPath, str]
_MODIFIERS = re.compile(r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)+(?=.)")
_NAMED = frozenset(key.value for key in Keys if re.fullmatch(r"[a-z0-9_]+", key.value))
_SIGNS = frozenset(_character_to_key(chr(code)) for code in range(0x20, 0x7F))


def textual_key(text: str) -> str | None:
    """Return Textual's name of a key that is written as a sign or by name; None for no key."""
    found = _MODIFIERS.match(text)
    modifiers = found.group() if found else ""
    base = text[len(modifiers) :]
    if len(base) == 1 and base.isprintable():
        return modifiers + _character_to_key(base)
    return text if base in _NAMED | _SIGNS else None


def resolved(
    wanted: Mapping[str, Sequence[str]], registry: ActionRegistry, places: Sequence[Place]
) -> tuple[dict[str, tuple[str, ...]], list[Wrong]]:
    """Return the keys that can be had, and what is wrong with the others: those stay as they are.

    `wanted` is by action id, `registry` has the actions' own keys.
    """
    keys: dict[str, tuple[str, ...]] = {}
    wrong: list[Wrong] = []
    own = {action.id: action for action in registry.actions}
    for action_id, texts in wanted.items():
        if action_id not in own:
            hint = did_you_mean(action_id, own)
            wrong.append((("keys", action_id), f"is no action of the console{hint}"))
            continue
        found = [*_wrong_keys(own[action_id], texts)]
        wrong += found
        if not found:
            keys[action_id] = tuple(textual_key(text) or text for text in texts)
    wrong += _take_back_clashes(keys, own, _together(places))
    return keys, wrong


def _wrong_keys(action: Action, texts: Sequence[str]) -> Iterator[Wrong]:
    if not texts:
        yield ("keys", action.id), "needs at least one key"
    keys = [textual_key(text) for text in texts]
    # In dialogs and in the welcome what can be typed is text only while there is a field in focus.
    enough = action.scope in (DIALOG, WELCOME) and any(key and not is_text(key) for key in keys)
    for index, key in enumerate(keys):
        path = ("keys", action.id, index)
        if key is None:
            yield path, "is no key; keys are written like x, X, /, f5, ctrl+x, alt+x, pageup"
        elif action.in_inputs and is_text(key) and not enough:
            yield path, "would be typed as text; this action needs a key like f5 or ctrl+x"


def _together(places: Sequence[Place]) -> list[frozenset[Scope]]:
    screens = [frozenset(place.screen_class().SCOPES) for place in places]
    welcome = [frozenset({WELCOME, START}), frozenset({WELCOME, REPORT, TABLE})]
    return [*screens, *welcome, frozenset({DIALOG})]


def _take_back_clashes(
    keys: dict[str, tuple[str, ...]], own: Mapping[str, Action], together: list[frozenset[Scope]]
) -> Iterator[Wrong]:
    """Take wanted keys back, the last ones first, until no key means two things at once."""
    while True:
        clash = next(_clashes(keys, own, together), None)
        if clash is None:
            return
        taken, other, key = clash
        del keys[taken]
        text = f"wants {key_name(key)}, which is {other} ({own[other].title}); not changed"
        yield ("keys", taken), text


def _clashes(
    keys: Mapping[str, tuple[str, ...]], own: Mapping[str, Action], together: list[frozenset[Scope]]
) -> Iterator[tuple[str, str, str]]:
    for wanting in reversed(tuple(keys)):
        for other in own.values():
            if other.id == wanting or not _meet(own[wanting], other, together):
                continue
            for key in keys[wanting]:
                if key in keys.get(other.id, other.keys):
                    yield wanting, other.id, key


def _meet(one: Action, other: Action, together: list[frozenset[Scope]]) -> bool:
    """Whether both can be meant at the same time; those that share a key by themselves cannot."""
    if set(one.keys) & set(other.keys):
        return False
    if any(one.scope in scopes and other.scope in scopes for scopes in together):
        return True
    return _reaches(one, other) or _reaches(other, one)


def _reaches(one: Action, other: Action) -> bool:
    """Whether the first works also where the other does, as it does in dialogs."""
    if one.scope is ANYWHERE:
        return other.scope in (DIALOG, WELCOME, START, REPORT, TABLE)
    return one.scope is GLOBAL and one.in_inputs and other.scope is DIALOG
