"""What `offsets: identical` needs of the target: to fill, and to delete what was filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.checking.operations import TopicNeeds
from engine.checking.report import Grant, Permission
from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.topic_configs import topic_configs
from engine.kafka.transactions import Transaction
from engine.replication.identical.aligner import transactional_id

PURPOSE = "let new mirrors begin at their sources' offsets (offsets: identical)"


async def check_identical(
    flow: str, target: Cluster, mirrors: Collection[str], compacted: Collection[str]
) -> list[Permission]:
    """Ask what we may do; `compacted` are those mirrors whose sources are compacted only.

    Raises ConnectError and KafkaError.
    """
    needs = TopicNeeds(target.name, await target.metadata(mirrors, operations=True))
    needs.need("DELETE", mirrors, PURPOSE)
    for operation in ("DESCRIBE_CONFIGS", "ALTER_CONFIGS"):
        needs.need(operation, compacted, PURPOSE)
    return [*needs.permissions, await _check_transactions(flow, target)]


async def compacted_only(source: Cluster, topics: Iterable[str]) -> list[str]:
    """Return the topics that are compacted, and nothing else, as far as their configs are known."""
    configs = await topic_configs(source, topics, ["cleanup.policy"])
    return [
        topic
        for topic, config in configs.items()
        if config.values.get("cleanup.policy") == "compact"
    ]


async def _check_transactions(flow: str, target: Cluster) -> Permission:
    """Begin with an id that is not used otherwise; no transaction is opened."""
    name = transactional_id(flow, "check")
    grant, note = Grant.GRANTED, ""
    try:
        await Transaction(target, name).begin()
    except KafkaError as error:
        refused = codes.name(Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED) in error.cause
        grant = Grant.MISSING if refused else Grant.UNKNOWN
        note = "" if refused else error.cause
    everyone = (transactional_id(flow, "*"),)
    return Permission(target.name, "WRITE", (), PURPOSE, grant, note, transactional_ids=everyone)
