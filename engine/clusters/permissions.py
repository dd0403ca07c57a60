"""What we may do on a cluster: in general, and what the flows that use it need (`ccr check`)."""

from __future__ import annotations

from collections.abc import Callable

from engine.checking import FlowReport, Problem, check
from engine.clusters.steps import FINE, Outcome, StepError, sentences
from engine.config.model import Config
from engine.errors import KafkaError
from engine.kafka.acl_bindings import Operation
from engine.kafka.cluster import Cluster
from engine.kafka.describe_cluster import cluster_operations
from engine.kafka.metadata import NOT_ASKED, ClusterMetadata

See = Callable[[str], None]
_OF_TOPICS = (Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS)


async def check_permissions(
    cluster: Cluster, metadata: ClusterMetadata, config: Config, see: See
) -> Outcome:
    """Say what is allowed; raises StepError when a flow lacks something."""
    _see_topics(metadata, see)
    await _see_cluster(cluster, see)
    flows = [
        name for name, flow in config.flows.items() if cluster.name in (flow.source, flow.target)
    ]
    if flows:
        return await _check_flows(cluster, config, flows, see)
    if not metadata.topics:
        return Outcome(
            "no topic is visible to us",
            "Either there is none, or we lack DESCRIBE on them: flows see only what we may see",
        )
    return FINE


def _see_topics(metadata: ClusterMetadata, see: See) -> None:
    told = [topic for topic in metadata.topics.values() if topic.operations != NOT_ASKED]
    for operation in _OF_TOPICS:
        count = sum(topic.operations >> operation & 1 for topic in told)
        see(f"{operation.name} on {count:,} of {len(metadata.topics):,} topics")


async def _see_cluster(cluster: Cluster, see: See) -> None:
    try:
        allowed = await cluster_operations(cluster)
    except KafkaError as error:
        see(f"on the cluster itself: not told ({error.cause})")
        return
    names = [operation.name for operation in Operation if allowed >> operation & 1]
    see(f"on the cluster itself: {', '.join(names) or 'nothing, as far as we may see'}")


async def _check_flows(cluster: Cluster, config: Config, flows: list[str], see: See) -> Outcome:
    clusters = {**config.clusters, cluster.name: cluster.config}
    report = await check(config.model_copy(update={"clusters": clusters}), flows)
    checked = {flow.name: flow for flow in report.flows}
    missing, doubts = [], []
    for name in flows:
        flow = checked.get(name)
        if flow is None:
            doubts.append(Problem(f"flow {name} was not checked: its other cluster is away"))
            continue
        missing += _missing(cluster.name, flow, see)
        doubts += flow.problems
    if missing:
        raise StepError(sentences(missing), "Grant it: docs/permissions.md has the commands")
    if doubts:
        return Outcome(sentences(each.text for each in doubts), doubts[0].next_step)
    return FINE


def _missing(cluster: str, flow: FlowReport, see: See) -> list[str]:
    lacking = [str(each) for each in flow.missing if each.cluster == cluster]
    see(
        f"flow {flow.name}: {f'{len(lacking)} permissions are missing' if lacking else 'all there'}"
    )
    return [f"flow {flow.name}: {each}" for each in lacking]
