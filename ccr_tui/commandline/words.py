"""What is typed after `:`: a command, and what it is about. Pure: nothing here touches a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ccr_tui.actions import FLOW, TABLE, Action, ActionRegistry, Scope
from ccr_tui.places import Place
from engine.config.nearest import nearest

SHORT = {"q": "quit", "h": "help", "e": "go.flow_editor"}
"""As other programs of this kind have it."""

Choices = Callable[[], Sequence[str]]
"""What there is to choose from at this moment."""


class CommandError(ValueError):
    """What was typed is no command; says why, and what may be meant."""


@dataclass(frozen=True, slots=True)
class Command:
    """An action by the name that is typed."""

    name: str
    action: Action
    argument: str = ""
    """What it may be about: `FLOW`, `CLUSTER`, `NAME`; empty when it takes nothing."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line that was understood."""

    command: Command
    argument: str


class Vocabulary:
    """The commands of one screen, and what their arguments may be."""

    def __init__(
        self,
        registry: ActionRegistry,
        scopes: Sequence[Scope],
        places: Iterable[Place],
        choices: Mapping[str, Choices],
    ) -> None:
        """`choices` are by argument: `FLOW`, `CLUSTER`, …"""
        self._choices = choices
        self._arguments = {f"go.{place.id}": place.about.upper() for place in places}
        actions = [
            action
            for action in registry.in_scopes(each for each in scopes if each is not TABLE)
            if action.id != "command"
        ]
        self.commands: dict[str, Command] = {}
        for action in actions:
            self._add(action.id, action)
        # Places first: `lag` goes there, also where something is sorted by it.
        for action in sorted(actions, key=lambda action: action.id not in self._arguments):
            self._add(action.id.partition(".")[2] or action.id, action)
        for short, action_id in SHORT.items():
            found = next((action for action in actions if action.id == action_id), None)
            if found is not None:
                self._add(short, found)

    def _add(self, name: str, action: Action) -> None:
        argument = self._arguments.get(action.id, "")
        if action.scope is FLOW and action.call is not None:
            argument = "FLOW"
        if action.id == "theme":
            argument = "NAME"
        self.commands.setdefault(name.replace("_", "-"), Command(name, action, argument))

    def read(self, text: str) -> Typed:
        """Understand a line; raises CommandError."""
        name, _, argument = text.strip().partition(" ")
        argument = argument.strip()
        command = self._command(name)
        if argument and not command.argument:
            raise CommandError(f"{name} takes nothing after it")
        if argument and argument not in self._choices[command.argument]():
            known = ", ".join(self._choices[command.argument]()) or "none"
            raise CommandError(f"there is no {command.argument} named {argument}; known: {known}")
        return Typed(command, argument)

    def _command(self, name: str) -> Command:
        wanted = name.replace("_", "-")
        if wanted in self.commands:
            return self.commands[wanted]
        begun = {
            id(command.action): command
            for known, command in self.commands.items()
            if known.startswith(wanted) and wanted
        }
        if len(begun) == 1:
            return next(iter(begun.values()))
        if begun:
            names = ", ".join(sorted(known for known in self.commands if known.startswith(wanted)))
            raise CommandError(f"{name} may be {names}")
        near = nearest(wanted, self.commands)
        meant = f"; did you mean {near}?" if near else ""
        raise CommandError(f"there is no command {name}{meant}")

    def completions(self, text: str) -> list[str]:
        """Return whole lines that what is typed may become, the shortest names first."""
        name, blank, argument = text.lstrip().partition(" ")
        if not blank:
            begun = name.replace("_", "-")
            found = [known for known in self.commands if known.startswith(begun)]
            return sorted(found, key=lambda known: ("." in known, known))
        command = self.commands.get(name.replace("_", "-"))
        if command is None or not command.argument:
            return []
        typed = argument.strip()
        return [f"{name} {c}" for c in self._choices[command.argument]() if c.startswith(typed)]

    def described(self, text: str) -> Command | None:
        """Return the command that a line begins with, if it is one."""
        return self.commands.get(text.strip().partition(" ")[0].replace("_", "-"))
