"""Removing an entry of the configuration: refused while it is used, and its name must be typed."""

from __future__ import annotations

from textual.app import App

from ccr_tui.actions import Question
from ccr_tui.bridge import EngineBridge
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from ccr_tui.screens.editing.diff import proposal_facts
from engine.api.config_snapshots import ConfigDocument, Proposal
from engine.config.editing.edits import Edit, Remove
from engine.errors import CcrError, RefusedError

_LEFT = {
    "clusters": "ccr forgets the cluster. The cluster itself, its topics and their records stay.",
    "flows": (
        "The flow is drained and ends. Its mirrors stay on the target, and so does its state: added"
        " again under this name, it goes on where it was."
    ),
}


async def remove(app: App[None], bridge: EngineBridge, section: str, name: str) -> None:
    """Ask, remove and apply, in a worker: it waits for answers."""
    noun = section.removesuffix("s")
    try:
        await _remove(app, bridge, section, name)
    except CcrError as error:
        app.push_screen(failure_dialog(f"Remove {noun} {name}", error))


async def _remove(app: App[None], bridge: EngineBridge, section: str, name: str) -> None:
    noun = section.removesuffix("s")
    edits: list[Edit] = [Remove((section, name))]
    document = await bridge.api.config.document()
    _check(document, section, name)
    proposal = await bridge.api.config.propose(edits)
    _check_proposal(proposal, noun, name)
    question = Question(f"Remove {noun} {name}?", _LEFT[section], "Remove")
    dialog = ConfirmDialog(question, typed=name, dangerous=True, facts=proposal_facts(proposal))
    if await app.push_screen_wait(dialog):
        applied = await bridge.api.config.save(edits, proposal.digest)
        app.notify(applied.text, markup=False)
        bridge.poke()


def _check(document: ConfigDocument, section: str, name: str) -> None:
    """Refuse what the file does not have, may not lose, or still needs."""
    noun = section.removesuffix("s")
    if document.why_read_only:
        raise RefusedError(f"removing {noun}", name, document.why_read_only, document.what_to_do)
    users = users_of(document, name) if section == "clusters" else []
    if users:
        named = ", ".join(users)
        raise RefusedError(
            "removing cluster",
            name,
            f"it is used by flow{'s' if len(users) > 1 else ''} {named}",
            "Remove them first, or let them lead elsewhere",
        )


def users_of(document: ConfigDocument, cluster: str) -> list[str]:
    """Return the flows that read from a cluster or write to it."""
    return [
        name
        for name, flow in document.section("flows").items()
        if cluster in (flow.get("source"), flow.get("target"))
    ]


def _check_proposal(proposal: Proposal, noun: str, name: str) -> None:
    if proposal.problems:
        first = proposal.problems[0]
        raise RefusedError(
            f"removing {noun}", name, f"{first.key}: {first.text}".removeprefix(": "),
            first.next_step,
        )  # fmt: skip
