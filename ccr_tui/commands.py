"""The commands to the engine that actions run, and the questions asked before them."""

from __future__ import annotations

from ccr_tui.actions import ActionContext, Question, TopicInSight
from ccr_tui.formats import plural
from engine.api.names import quarantine_topic
from engine.api.protocol import FlowsApi
from engine.api.snapshots import CommandResult, FlowSnapshot, PartitionSnapshot, Skips


def _flow(context: ActionContext) -> FlowSnapshot:
    if context.flow is None:
        raise LookupError("an action on a flow was run without one")
    return context.flow


def _partition(context: ActionContext) -> PartitionSnapshot:
    if context.partition is None:
        raise LookupError("an action on a partition was run without one")
    return context.partition


def _topic(context: ActionContext) -> TopicInSight:
    if context.topic is None:
        raise LookupError("an action on a topic was run without one")
    return context.topic


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


async def retry_topic(flows: FlowsApi, context: ActionContext) -> CommandResult:
    """Retry what is stopped in the topic."""
    return await flows.retry(_flow(context).name, _topic(context).name)


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


def ask_retry_topic(context: ActionContext) -> Question:
    """Ask before retrying a topic."""
    topic = _topic(context)
    return Question(
        f"Retry what is stopped in {topic.name}?",
        f"{plural(topic.stopped, 'partition')} will be started again, each from where it stopped. "
        "One whose cause is still there stops again.",
        "Retry",
    )


def _skips(context: ActionContext) -> tuple[PartitionSnapshot, Skips]:
    partition = _partition(context)
    if partition.reason is None or partition.reason.skips is None:
        raise LookupError("nothing would be skipped")
    return partition, partition.reason.skips


def ask_skip_gap(context: ActionContext) -> Question:
    """Ask before going on behind what the source has deleted: which offsets, and how many."""
    partition, skips = _skips(context)
    count = skips.end - skips.first
    found = partition.overtaken
    gone = found.gone_records if found else 0
    more = (
        f"\nSince then retention went on: {gone:,} are gone by now, up to offset "
        f"{skips.first + gone - 1:,}; all of them are skipped."
        if gone > count
        else "\nIf retention deletes more before it goes on, that is skipped as well."
    )
    return Question(
        f"Skip {count:,} lost offsets of {partition.topic}/{partition.partition}?",
        f"Source offsets {skips.first:,} to {skips.end - 1:,} ({plural(count, 'record')} at most) "
        f"were deleted on the source before they were mirrored. {partition.target_topic} will lack "
        f"them for good; mirroring goes on at {skips.end:,}. The range is kept with the "
        f"partition.{more}",
        f"Skip {count:,}",
    )


def ask_quarantine(context: ActionContext) -> Question:
    """Ask before putting aside what cannot be mirrored: which offsets, and where they go."""
    partition, skips = _skips(context)
    flow = _flow(context)
    one = skips.end - skips.first == 1
    which = f"offset {skips.first:,}" if one else f"offsets {skips.first:,} to {skips.end - 1:,}"
    why = partition.reason.text if partition.reason else ""
    return Question(
        f"Quarantine source {which} of {partition.topic}/{partition.partition}?",
        f"{why}.\nIt is written, with its bytes, position and reason, to the topic "
        f"{quarantine_topic(flow.name)} on {flow.target}, which is created if need be. "
        f"{partition.target_topic} will lack it; mirroring goes on at {skips.end:,}.",
        "Quarantine",
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
