"""Commanding the engine: ask first where it must be asked, then tell how it went."""

from __future__ import annotations

from textual.app import App

from ccr_tui.actions import Action, ActionContext, Question, Tier
from ccr_tui.bridge import EngineBridge
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from engine.errors import CcrError


async def command(
    app: App[None], bridge: EngineBridge, action: Action, context: ActionContext
) -> None:
    """Run an action that is a command to the engine, in a worker: it may wait for an answer."""
    if action.call is None:
        raise TypeError(f"{action.id} is not a command")
    if not await _confirmed(app, action, context):
        return
    try:
        result = await action.call(bridge.api.flows, context)
    except CcrError as error:
        app.push_screen(failure_dialog(action.title, error))
    else:
        app.notify(result.text, severity="information", markup=False)
    bridge.poke()


async def _confirmed(app: App[None], action: Action, context: ActionContext) -> bool:
    tier = action.tier_in(context)
    if tier is Tier.NONE:
        return True
    question = action.ask(context) if action.ask else Question(action.title, "", action.label)
    typed = context.flow.name if tier is Tier.TYPE and context.flow else None
    return await app.push_screen_wait(
        ConfirmDialog(question, typed=typed, dangerous=action.dangerous)
    )
