"""Why an action cannot be done now: clauses that follow `Pause:` in toast, palette and help."""

from __future__ import annotations

from ccr_tui.actions import ActionContext
from ccr_tui.missing_secrets import wanted_secrets
from engine.api.snapshots import FlowSnapshot, FlowState, PartitionState


def _cannot_command(context: ActionContext) -> str | None:
    if context.state.snapshot is None:
        return "the engine has not answered yet"
    if context.state.failure is not None:
        return "the engine does not answer"
    if context.state.read_only:
        return "this engine is read-only"
    return None


def cannot_ask(context: ActionContext) -> str | None:
    """Need an engine that answers."""
    if context.state.snapshot is None:
        return "the engine has not answered yet"
    return "the engine does not answer" if context.state.failure is not None else None


def cannot_write(context: ActionContext) -> str | None:
    """Need an engine that changes its configuration."""
    return _cannot_command(context)


def cannot_remove_flow(context: ActionContext) -> str | None:
    """Need a selected flow, and an engine that changes its configuration."""
    return _cannot_command(context) or no_flow(context)


def no_flow(context: ActionContext) -> str | None:
    """Need a selected flow."""
    return None if context.flow else "no flow is selected"


def _cannot_command_flow(context: ActionContext) -> str | None:
    reason = _cannot_command(context) or no_flow(context)
    if reason is None and context.flow and context.state.read_only_target(context.flow):
        return f"cluster {context.flow.target} is read-only in the config"
    return reason


def cannot_run(context: ActionContext) -> str | None:
    """Need a flow that may be changed, whoever runs it."""
    return _cannot_command_flow(context)


def cannot_steer(context: ActionContext) -> str | None:
    """Need a flow that the engine in sight runs, and an engine that takes commands."""
    reason = _cannot_command_flow(context)
    if reason or context.flow is None:
        return reason
    if context.flow.state is FlowState.STANDBY:
        return f"{context.flow.name} is run by {owner_host(context.flow)}; take it over first"
    return None


def cannot_retry_flow(context: ActionContext) -> str | None:
    """Need something in the flow that is stopped."""
    reason = cannot_steer(context)
    if reason or context.flow is None:
        return reason
    if context.flow.state is FlowState.STOPPED or context.flow.partitions_stopped:
        return None
    if context.flow.partitions_waiting or context.flow.state is FlowState.WAITING:
        return "nothing is stopped; what waits is retried by itself"
    return f"nothing in {context.flow.name} is stopped"


def cannot_retry_partition(context: ActionContext) -> str | None:
    """Need a stopped partition."""
    reason = cannot_steer(context)
    if reason:
        return reason
    partition = context.partition
    if partition is None:
        return "no partition is selected; n goes to the next stuck one"
    if partition.state is PartitionState.STOPPED:
        return None
    name = f"{partition.topic}/{partition.partition}"
    if partition.state is PartitionState.WAITING:
        return f"{name} waits and is retried by itself"
    return f"{name} is {partition.state}, not stopped"


def cannot_retry_topic(context: ActionContext) -> str | None:
    """Need a topic with stopped partitions."""
    reason = cannot_steer(context)
    if reason:
        return reason
    if context.topic is None:
        return "no topic is selected"
    return None if context.topic.stopped else f"nothing of {context.topic.name} is stopped"


def cannot_accept_partition(context: ActionContext) -> str | None:
    """Need a partition that stopped for something an operator can accept."""
    reason = cannot_retry_partition(context)
    partition = context.partition
    if reason or partition is None:
        return reason
    if partition.reason is None or not partition.reason.acceptable:
        return "its cause must be removed first; there is nothing to accept"
    return None


def cannot_give_secret(context: ActionContext) -> str | None:
    """Need a cluster that is not reached, and that has secrets."""
    reason = _cannot_command(context)
    if reason:
        return reason
    if context.flow is None and context.cluster is None:
        return "no flow is selected"
    if wanted_secrets(context):
        return None
    if context.flow is None:
        return f"{context.cluster} waits for no secret"
    return f"no cluster of {context.flow.name} waits for a secret"


def no_cluster(context: ActionContext) -> str | None:
    """Need a selected cluster."""
    return None if context.cluster else "no cluster is selected"


def cannot_ask_cluster(context: ActionContext) -> str | None:
    """Need a cluster, and an engine that answers."""
    return cannot_ask(context) or no_cluster(context)


def cannot_remove_cluster(context: ActionContext) -> str | None:
    """Need a cluster, and an engine that changes its configuration."""
    return _cannot_command(context) or no_cluster(context)


def cannot_take_over(context: ActionContext) -> str | None:
    """Need a flow that another engine runs."""
    reason = _cannot_command_flow(context)
    if reason or context.flow is None:
        return reason
    if context.flow.state is FlowState.STANDBY:
        return None
    if context.flow.owned_here:
        return f"{context.flow.name} is already run by this engine"
    return f"{context.flow.name} is {context.flow.state}; no other engine runs it"


def owner_host(flow: FlowSnapshot) -> str:
    """Name who runs a flow."""
    return flow.owner.host if flow.owner else "another engine"
