"""What an action of the console is, and the registry that bindings, footer, help and palette read.

An action that is not in the registry (`ccr_tui.catalog`) cannot be bound, found or shown.
"""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from textual.binding import Binding, BindingsMap, BindingType
from textual.dom import DOMNode
from textual.keys import _character_to_key

from ccr_tui.state import ConsoleState, Environment
from engine.api.protocol import FlowsApi
from engine.api.snapshots import CommandResult, Event, FlowSnapshot, PartitionSnapshot


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an action's keys work. A screen has one of its own (`ccr_tui.screens.places`)."""

    heading: str
    """In the help."""


FLOW = Scope("The flow")
TABLE = Scope("Tables")
GLOBAL = Scope("Everywhere")


class Tier(IntEnum):
    """How an act is confirmed. Where a production cluster is touched it is one tier higher."""

    NONE = 0
    ASK = 1  # Cancel or do it, focus on Cancel
    TYPE = 2  # type the flow's name


@dataclass(frozen=True, slots=True)
class TopicInSight:
    """The topic that an action would act on, and how many of its partitions are stopped."""

    name: str
    stopped: int


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action would act on, at this moment."""

    state: ConsoleState
    flow: FlowSnapshot | None = None
    partition: PartitionSnapshot | None = None
    event: Event | None = None
    topic: TopicInSight | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before an act."""

    title: str
    body: str
    confirm: str  # the button's words: a verb, never "Yes"


def always(context: ActionContext) -> bool:
    """Apply everywhere."""
    return True


def never_disabled(context: ActionContext) -> str | None:
    """Know no reason against it."""
    return None


Command = Callable[[FlowsApi, ActionContext], Awaitable[CommandResult]]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the operator can do.

    Either `method` names the screen's (or app's) `do_<method>`, or `call` is a command to the
    engine. `applies` chooses between actions that share a key; `why_disabled` says, in a clause,
    why one cannot be done now.
    """

    id: str
    title: str
    scope: Scope
    keys: tuple[str, ...] = ()
    label: str = ""
    """Short name for the footer; none there without it."""
    footer_rank: int = 50
    """Place in the footer, from the left."""
    footer_keep: int = 50
    """The lowest is dropped first from a narrow footer."""
    footer_only_enabled: bool = False
    method: str = ""
    argument: str = ""
    """Given to the method, where it is not empty."""
    call: Command | None = None
    ask: Callable[[ActionContext], Question] | None = None
    tier: Tier = Tier.NONE
    dangerous: bool = False
    yields: bool = False
    """Whether another action on the same key goes first, on the screens that have one."""
    in_inputs: bool = False
    """Whether its keys work in dialogs and while something is typed."""
    applies: Callable[[ActionContext], bool] = always
    why_disabled: Callable[[ActionContext], str | None] = never_disabled

    def tier_in(self, context: ActionContext) -> Tier:
        """Return how the act is confirmed here: a tier up where production is touched."""
        if self.call is None:
            return Tier.NONE
        production = context.state.environment(context.flow) is Environment.PRODUCTION
        return Tier(min(Tier.TYPE, self.tier + production))


KEY_NAMES = {
    **{_character_to_key(sign): sign for sign in string.punctuation},
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "Up",
    "down": "Down",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "f1": "F1",
    "f2": "F2",
    "f3": "F3",
    "f4": "F4",
    "f5": "F5",
}


_SIGNS = frozenset(_character_to_key(chr(code)) for code in range(0x20, 0x7F))


def is_text(key: str) -> bool:
    """Whether a key would be typed into a field."""
    return key in _SIGNS or len(key) == 1


def key_name(key: str) -> str:
    """Write a key as people read it: ^p, Esc, ?."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    return f"^{key.removeprefix('ctrl+')}" if key.startswith("ctrl+") else key


@dataclass(slots=True)
class ActionRegistry:
    """All actions, in the order help and palette show them."""

    actions: tuple[Action, ...]
    _own: tuple[Action, ...] = field(init=False, repr=False)
    _by_id: dict[str, Action] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._own = self.actions
        self._by_id = {action.id: action for action in self.actions}
        if len(self._by_id) != len(self.actions):
            raise ValueError("two actions have the same id")

    def __getitem__(self, action_id: str) -> Action:
        return self._by_id[action_id]

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._by_id

    def use_keys(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Give actions other keys, by id; all others have their own (again)."""
        self.actions = tuple(
            replace(action, keys=keys[action.id]) if action.id in keys else action
            for action in self._own
        )
        self._by_id = {action.id: action for action in self.actions}

    def with_own_keys(self) -> ActionRegistry:
        """Return the same actions with the keys that they come with."""
        return ActionRegistry(self._own)

    def rebind(self, node: DOMNode) -> None:
        """Bind a new node's actions to the keys of now; its class was bound to their own."""
        if self.actions == self._own:
            return
        found = [each for same in node._bindings.key_to_bindings.values() for each in same]  # noqa: SLF001
        ids = {each.id: each.priority for each in found if each.id in self._by_id}
        kept = [each for each in found if each.id not in ids]
        node._bindings = BindingsMap(  # noqa: SLF001  (Textual's keymap drops others on that key)
            [
                *kept,
                *(
                    binding
                    for action_id, priority in ids.items()
                    if action_id
                    for binding in _bindings([self._by_id[action_id]], priority=priority)
                ),
            ]
        )

    def in_scopes(self, scopes: Iterable[Scope]) -> Iterator[Action]:
        """Yield the actions of these scopes, scope by scope in the order given."""
        for scope in scopes:
            yield from (action for action in self.actions if action.scope is scope)

    def bindings(self, *scopes: Scope, priority: bool = True) -> list[BindingType]:
        """Return Textual bindings that run `act('<id>')`, with the actions' ids for keymaps.

        On screens all have priority: Textual then acts on each key before it looks at the next.
        Otherwise keys typed ahead queue at the focused widget, and `/topic` would open the filter
        and then take over, pause, … on what was meant as text. Who does not want a key refuses it
        in `check_action`.
        """
        return _bindings(self.in_scopes(scopes), priority=priority)


def _bindings(actions: Iterable[Action], *, priority: bool) -> list[BindingType]:
    return [
        Binding(
            ",".join(action.keys),
            f"act('{action.id}')",
            action.title,
            id=action.id,
            show=False,
            priority=priority and not action.yields,
        )
        for action in actions
        if action.keys
    ]
