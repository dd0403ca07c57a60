"""The commands to the engine that actions run, and the questions asked before them."""

from __future__ import annotations

from ccr_tui.actions import ActionContext, Question
from ccr_tui.formats import plural
from engine.api.protocol import FlowsApi
from engine.api.snapshots import CommandResult, FlowSnapshot, PartitionSnapshot


def _flow(context: ActionContext) -> FlowSnapshot:
    if context.flow is None:
        raise LookupError("an action on a flow was run without one")
    return context.flow


def _partition(context: ActionContext) -> PartitionSnapshot:
    if context.partition is None:
        raise LookupError("an action on a partition was run without one")
    return context.partition


async def pause(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Pause the flow."""
    return await flows.pause(_flow(context).name)


async def resume(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Resume the flow."""
    return await flows.resume(_flow(context).name)


async def retry_flow(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Retry what is stopped in the flow."""
    return await flows.retry(_flow(context).name)


async def retry_partition(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Retry the partition."""
    partition = _partition(context)
    return await flows.retry(partition.flow, partition.topic, partition.partition)


async def accept_partition(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Let the partition go on over what it stopped for."""
    partition = _partition(context)
    return await flows.retry(partition.flow, partition.topic, partition.partition, accept=True)


async def take_over(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Claim the flow from its owner."""
    return await flows.take_over(_flow(context).name)


def ask_pause(context: ActionContext) -> Question:
    """Ask before a pause."""
    flow = _flow(context)
    return Question(
        f"Pause {flow.name}?",
        f"{flow.target} stops receiving from {flow.source} and lag grows until the flow is "
        "resumed. What is in flight is finished first. The pause survives restarts.",
        "Pause",
    )


def ask_resume(context: ActionContext) -> Question:
    """Ask before resuming."""
    flow = _flow(context)
    return Question(
        f"Resume {flow.name}?",
        f"Records from {flow.source} are written to {flow.target} again, from where it paused.",
        "Resume",
    )


def ask_retry_flow(context: ActionContext) -> Question:
    """Ask before retrying a flow."""
    flow = _flow(context)
    return Question(
        f"Retry what is stopped in {flow.name}?",
        f"{plural(flow.partitions_stopped, 'partition')} will be started again, each from where it "
        "stopped. One whose cause is still there stops again.",
        "Retry",
    )


def ask_retry_partition(context: ActionContext) -> Question:
    """Ask before retrying a partition."""
    partition = _partition(context)
    return Question(
        f"Retry {partition.topic}/{partition.partition}?",
        "It is started again from where it stopped. If the cause is still there it stops again.",
        "Retry",
    )


def ask_accept_partition(context: ActionContext) -> Question:
    """Ask before accepting what a partition stopped for: its reason says what that means."""
    partition = _partition(context)
    reason = partition.reason
    return Question(
        f"Accept, and go on with {partition.topic}/{partition.partition}?",
        f"{reason.text}. {reason.next_step}" if reason else "",
        "Accept",
    )


def ask_take_over(context: ActionContext) -> Question:
    """Ask before taking over."""
    flow = _flow(context)
    owner = flow.owner
    who = (
        f"{owner.host} (pid {owner.pid}, generation {owner.generation})"
        if owner
        else "another engine"
    )
    return Question(
        f"Take over {flow.name}?",
        f"It is run by {who}. That engine is made to stand down and this one goes on from the last "
        f"checkpoint; nothing is lost or written twice. The engine here must reach both "
        f"{flow.source} and {flow.target}, and must stay up from then on.",
        "Take over",
    )
