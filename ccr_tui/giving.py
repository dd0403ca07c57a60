"""Asking the operator for a secret that the engine lacks, and handing it over."""

from __future__ import annotations

from textual.app import App

from ccr_tui.actions import ActionContext
from ccr_tui.bridge import EngineBridge
from ccr_tui.missing_secrets import wanted_secrets
from ccr_tui.screens.dialogs.secret import SecretDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from engine.errors import CcrError


async def secrets(app: App[None], bridge: EngineBridge, context: ActionContext) -> None:
    """Ask for each secret that is wanted, in a worker: it waits for answers."""
    for wanted in wanted_secrets(context):
        value = await app.push_screen_wait(SecretDialog(wanted))
        if value is None:
            return
        try:
            result = await bridge.api.clusters.give_secret(
                wanted.cluster.name, wanted.secret.key, value
            )
        except CcrError as error:
            app.push_screen(failure_dialog(f"Give {wanted}", error))
            return
        app.notify(result.text, markup=False)
        bridge.poke()
