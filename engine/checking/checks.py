"""Asks the clusters, with requests that change nothing.

What a flow needs and why stands in docs/permissions.md; `tests/kafka/test_permissions.py` proves
that it is enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable

from engine.api.names import quarantine_topic
from engine.checking.acls import check_acls
from engine.checking.groups import check_groups
from engine.checking.identical import check_identical, compacted_only
from engine.checking.operations import TopicNeeds
from engine.checking.report import (
    BrokerReport,
    CheckReport,
    ClusterReport,
    FlowReport,
    Grant,
    Permission,
    Problem,
)
from engine.config.flow_section import FlowConfig, Offsets, OnPoison
from engine.config.model import Config
from engine.errors import CcrError, ConfigError, KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import TopicMetadata
from engine.kafka.releases import release
from engine.kafka.topics import NewTopic, create_topics
from engine.replication.both_ways.inbound import state_topics
from engine.replication.both_ways.marks import takes_local_only
from engine.replication.state_records import state_topic
from engine.replication.sync.mm2 import names as mm2_names
from engine.replication.topics.selection import TopicSelector

MM2_PURPOSE = "write MirrorMaker 2's topics (mm2)"


async def check(config: Config, names: Collection[str] = ()) -> CheckReport:
    """Check clusters and flows by name, all of them by default; a flow's clusters are with it.

    Raises ConfigError for a name that is neither. What cannot be reached is in the report.
    """
    flows = [name for name in config.flows if not names or name in names]
    clusters = _clusters(config, names, flows)
    opened = {name: Cluster(name, config.clusters[name]) for name in clusters}
    try:
        reports = await asyncio.gather(*(_check_cluster(each) for each in opened.values()))
        reachable = {report.name for report in reports if report.problem is None}
        checked = [
            await _check_flow(name, config.flows[name], opened)
            for name in flows
            if {config.flows[name].source, config.flows[name].target} <= reachable
        ]
    finally:
        await asyncio.gather(*(each.close() for each in opened.values()))
    return CheckReport(time.time(), tuple(reports), tuple(checked))


def _clusters(config: Config, names: Collection[str], flows: Iterable[str]) -> list[str]:
    unknown = [name for name in names if name not in config.clusters and name not in config.flows]
    if unknown:
        known = ", ".join([*config.clusters, *config.flows])
        raise ConfigError(
            "checking", unknown[0], f"it is no cluster and no flow of the configuration ({known})"
        )
    wanted = {
        end for flow in flows for end in (config.flows[flow].source, config.flows[flow].target)
    }
    return [name for name in config.clusters if not names or name in names or name in wanted]


async def _check_cluster(cluster: Cluster) -> ClusterReport:
    login, subject, expires, kafka, problem = "", "", None, "", None
    brokers: tuple[BrokerReport, ...] = ()
    try:
        login, own = await cluster.login()
        if own is not None:
            subject, expires = own.subject, own.expires_at.timestamp()
        nodes = sorted((await cluster.metadata([])).brokers)
        found = await asyncio.gather(*(_check_broker(cluster, node) for node in nodes))
        brokers = tuple(report for report, _ in found)
        kafka = next((spoken for _, spoken in found if spoken), "")
    except CcrError as error:
        problem = _problem(error)
    return ClusterReport(
        cluster.name, tuple(cluster.config.bootstrap_servers), problem, kafka, login, subject,
        expires, brokers,
    )  # fmt: skip


async def _check_broker(cluster: Cluster, node: int) -> tuple[BrokerReport, str]:
    host, port = cluster.brokers[node]
    try:
        facts = await cluster.broker_facts(node)
    except CcrError as error:
        return BrokerReport(node, f"{host}:{port}", _problem(error), None), ""
    return BrokerReport(node, f"{host}:{port}", None, facts.certificate_expires_at), release(
        facts.versions
    )


async def _check_flow(name: str, flow: FlowConfig, clusters: dict[str, Cluster]) -> FlowReport:
    source, target = clusters[flow.source], clusters[flow.target]
    selector = TopicSelector(flow)
    try:
        selected, reading = await _check_source(source, flow, selector)
        problems, writing = await _check_target(name, flow, target, selector, selected)
        if flow.offsets is Offsets.IDENTICAL:
            mirrors = {topic: selector.target_name(topic) for topic in selected}
            compacted = await compacted_only(source, selected)
            writing += await check_identical(
                name, target, mirrors.values(), [mirrors[topic] for topic in compacted]
            )
        if flow.sync.groups:
            problems += await check_groups(flow, source, target)
        if flow.sync.acls:
            permissions, lacking = await check_acls(source, target)
            writing += permissions
            problems += lacking
    except CcrError as error:
        return FlowReport(name, flow.source, flow.target, 0, (), (_problem(error),))
    if not selected:
        problems.append(
            Problem(
                f"no topic of {flow.source} is selected",
                "Check topics.include; topics that we may not DESCRIBE are not listed to us",
            )
        )
    return FlowReport(
        name, flow.source, flow.target, len(selected), (*reading, *writing), tuple(problems)
    )


async def _check_source(
    source: Cluster, flow: FlowConfig, selector: TopicSelector
) -> tuple[dict[str, TopicMetadata], list[Permission]]:
    metadata = await source.metadata(operations=True)
    selected = await selector.select(metadata.topics.values())
    needs = TopicNeeds(source.name, metadata)
    needs.need("READ", selected, "mirror its records")
    needs.need("DESCRIBE_CONFIGS", selected, "create the mirror with the topic's configs")
    if takes_local_only(flow):
        others = state_topics(metadata).values()
        needs.need("READ", others, "know what other flows brought there (origin: local)")
    hidden = [topic for topic in selector.literal_names if topic not in metadata.topics]
    if hidden:
        asked = TopicNeeds(source.name, await source.metadata(hidden, operations=True))
        refused = [t for t in hidden if asked.metadata.topics[t].error not in (0, 3)]
        asked.need("READ", refused, "mirror its records")
        needs.permissions += asked.permissions
    needs.permissions += await _check_mm2_on_source(source, flow)
    return selected, needs.permissions


async def _check_mm2_on_source(source: Cluster, flow: FlowConfig) -> list[Permission]:
    own = mm2_names.written_on_source(flow)
    if not own:
        return []
    needs = TopicNeeds(source.name, await source.metadata(own, operations=True))
    needs.need("WRITE", own, MM2_PURPOSE)
    needs.need("READ", own, MM2_PURPOSE)
    return needs.permissions


async def _check_target(
    name: str,
    flow: FlowConfig,
    target: Cluster,
    selector: TopicSelector,
    selected: dict[str, TopicMetadata],
) -> tuple[list[Problem], list[Permission]]:
    mirrors = {selector.target_name(topic): metadata for topic, metadata in selected.items()}
    own = {state_topic(name): "keep the flow's state"}
    mm2 = mm2_names.written_on_target(flow)
    own |= dict.fromkeys(mm2, MM2_PURPOSE)
    if flow.on_poison is OnPoison.QUARANTINE:
        own[quarantine_topic(name)] = "put aside what the target refuses (on_poison: quarantine)"
    metadata = await target.metadata([*mirrors, *own], operations=True)
    needs = TopicNeeds(target.name, metadata)
    needs.need("WRITE", mirrors, "mirror records into it")
    needs.need("READ", mirrors, "find out what it holds after a restart or a lost connection")
    needs.need("ALTER", mirrors, "add partitions when the source gets more")
    if flow.sync.configs:
        needs.need("ALTER_CONFIGS", mirrors, "keep its configs in step (sync.configs)")
    if flow.sync.deletions:
        needs.need("DELETE", mirrors, "delete it after its source (sync.deletions)")
    for topic, purpose in own.items():
        needs.need("WRITE", [topic], purpose)
    needs.need("READ", [state_topic(name)], "keep the flow's state")
    needs.need("READ", mm2, MM2_PURPOSE)
    brokers = max(1, len(metadata.brokers))
    wanted = [
        NewTopic(topic, len(mirrors[topic].partitions), min(brokers, factor))
        for topic in needs.lacking(mirrors)
        if (factor := flow.replication_factor or mirrors[topic].replication_factor)
    ]
    wanted += [NewTopic(topic, 1, min(3, brokers)) for topic in needs.lacking(own)]
    problems = await _check_creation(target, wanted, needs.permissions)
    needs.permissions.append(await _check_producer_id(target))
    return problems, needs.permissions


async def _check_creation(
    target: Cluster, wanted: list[NewTopic], permissions: list[Permission]
) -> list[Problem]:
    refused = await create_topics(target, wanted, validate_only=True)
    forbidden = {topic for topic, error in refused.items() if error.next_step}
    for grant, topics in (
        (Grant.MISSING, forbidden),
        (Grant.GRANTED, {topic.name for topic in wanted} - refused.keys()),
    ):
        if topics:
            names = tuple(sorted(topics))
            permissions.append(Permission(target.name, "CREATE", names, "create it", grant))
    return [_problem(error) for topic, error in refused.items() if topic not in forbidden]


async def _check_producer_id(target: Cluster) -> Permission:
    """Ask for a producer id, as a flow's first start does; it is not used."""
    grant, note = Grant.GRANTED, "WRITE on any topic is enough since Kafka 2.8"
    try:
        await target.init_producer_id()
    except KafkaError as error:
        grant = Grant.MISSING if error.next_step else Grant.UNKNOWN
        note = note if error.next_step else error.cause
    return Permission(target.name, "IDEMPOTENT_WRITE", (), "write exactly once", grant, note)


def _problem(error: CcrError) -> Problem:
    return Problem(f"{error.operation} {error.object}: {error.cause}".strip(), error.next_step)
