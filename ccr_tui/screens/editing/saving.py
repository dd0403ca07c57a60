"""Saving an entry: what it changes is shown, asked for, done, and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ccr_tui.actions import Question
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from ccr_tui.screens.editing.diff import proposal_facts
from ccr_tui.state import ConsoleState, Environment
from engine.api.config_snapshots import Applied, Proposal, Subject
from engine.errors import CcrError

if TYPE_CHECKING:
    from ccr_tui.screens.editing.screen import EditingScreen


async def save(screen: EditingScreen, proposal: Proposal) -> Applied | None:
    """Ask, put typed secrets into the keyring, save and apply; None when nothing was saved."""
    secrets = list(screen.book.secrets())
    if not proposal.diff and not secrets:
        screen.notify("Nothing was changed, so there is nothing to save.", markup=False)
        return None
    name = screen.entry_name
    question = Question(f"Save {screen.NOUN} {name}?", "", "Save")
    facts = proposal_facts(proposal, [reference for reference, _ in secrets])
    typed = name if interrupts_production(proposal, screen.console.state) else None
    dialog = ConfirmDialog(question, typed=typed, facts=facts)
    if not await screen.app.push_screen_wait(dialog):
        return None
    return await _done(screen, proposal, secrets)


async def _done(
    screen: EditingScreen, proposal: Proposal, secrets: Sequence[tuple[str, SecretStr]]
) -> Applied | None:
    edits, _ = screen.edits()
    try:
        for reference, secret in secrets:
            await screen.config.store_secret(reference, secret)
        if not proposal.diff:
            applied = Applied(proposal.digest, False, "The secret is in the keyring now.")
        else:
            applied = await screen.config.save(edits, proposal.digest)
    except CcrError as error:
        screen.app.push_screen(failure_dialog(f"Save {screen.NOUN} {screen.entry_name}", error))
        return None
    tell(screen, applied)
    return applied


def tell(screen: EditingScreen, applied: Applied) -> None:
    """Say what a save did, and what did not go as it should."""
    screen.app.notify(applied.text, markup=False)
    for note in applied.notes:
        screen.app.notify(note, severity="warning", markup=False)
    screen.console.bridge.poke()


def interrupts_production(proposal: Proposal, state: ConsoleState) -> bool:
    """Whether a flow that touches production would not flow for a moment."""
    return any(
        effect.kind.interrupts
        and effect.subject is Subject.FLOW
        and state.environment(state.flow(effect.name)) is Environment.PRODUCTION
        for effect in proposal.effects
    )
