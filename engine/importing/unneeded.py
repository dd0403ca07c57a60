"""Settings that need no counterpart, and why: by patterns of their names without prefixes."""

from __future__ import annotations

import re

_REASONS = {
    "ccr is one process: it has no tasks": r"tasks\.max.*|.*\.tasks\.(max|separate)",
    "batches go on as the source wrote them, acknowledged by all in-sync replicas": (
        r"acks|batch\.size|linger\.ms|compression\..*|buffer\.memory|max\.request\.size|retries"
        r"|enable\.idempotence|max\.in\.flight\..*|delivery\.timeout\.ms|max\.block\.ms"
        r"|partitioner\..*|transaction(al)?\..*|(key|value)\.serializer"
    ),
    "the flow's limits.buffer_bytes bounds what is held": (
        r"fetch\..*|max\.partition\.fetch\.bytes|max\.poll\..*|receive\.buffer\.bytes"
        r"|send\.buffer\.bytes|consumer\.poll\.timeout\.ms|poll\.timeout\.ms|check\.crcs"
    ),
    "ccr reads without a consumer group": (
        r"group\.(id|instance\.id|protocol|remote\.assignor)|session\.timeout\.ms"
        r"|heartbeat\.interval\.ms|enable\.auto\.commit|auto\.commit\..*"
        r"|partition\.assignment(\..*)?|exclude\.internal\.topics|allow\.auto\.create\.topics"
        r"|offset\.topic\.commit|(key|value)\.deserializer"
    ),
    "ccr connects, tries again and looks up brokers in its own way": (
        r"client\..*|metadata\..*|reconnect\..*|retry\..*|connections\.max\.idle\.ms"
        r"|default\.api\.timeout\.ms|.*\.?admin\.timeout\.ms|forwarding\.admin\.class"
        r"|socket\.connection\.setup\.timeout\.max\.ms|security\.providers|config\.providers.*"
        r"|bootstrap\.controllers|bootstrap\.resolve.*|rebootstrap.*"
    ),
    "TLS versions and ciphers are the system's": (
        r"ssl\.(protocol|enabled\.protocols|cipher\.suites|provider|engine\.factory\.class"
        r"|keymanager\.algorithm|trustmanager\.algorithm|secure\.random\.implementation)"
    ),
    "ccr renews logins by itself": (
        r"sasl\.login\.(class|refresh\..*|retry\..*|connect\..*|read\..*)"
    ),
    "ccr has no Kerberos": r"sasl\.kerberos\..*|.*\.?kerberos\..*",
    "ccr gets tokens by client credentials, and does not check them itself": (
        r"sasl\.oauthbearer\.(jwks|jwt|assertion|clock|expected|header|scope\.claim"
        r"|sub\.claim)\b.*"
    ),
    "ccr has numbers and logs of its own (ccr status --json)": (
        r"metric.*|.*interceptor.*|auto\.include\.jmx\.reporter|enable\.metrics\.push"
        r"|errors\.log\..*|add\.source\.alias\.to\.metrics"
    ),
    "of Connect's workers, which ccr does not need": (
        r"(config|offset|status)\.storage\..*|offset\.flush\..*|plugin\..*|rest\..*"
        r"|listeners|admin\.listeners.*|worker\..*|dedicated\.mode\..*|internal\..*"
        r"|connector\.(client\.config|plugin).*|topic\.(creation|tracking)\..*"
        r"|config\.action\.reload|scheduled\.rebalance\..*|inter\.worker\..*"
        r"|task\.shutdown\..*|connect\.protocol|rebalance\.timeout\.ms|response\..*"
        r"|access\.control\..*|header\.converter\.plugin.*|(key|value)\.converter\.plugin.*"
    ),
    "a record that cannot be mirrored stops its partition, or is put aside (on_poison)": (
        r"errors\..*"
    ),
    "Confluent's licence; ccr needs none": r"confluent\..*",
    "Kafka needs no ZooKeeper any more": r"(.*\.)?zookeeper\..*",
    "ccr's offset map is exact and kept in its state topic": (
        r"offset\.lag\.max|offset\.translator\..*|offset\.timestamps\..*"
        r"|timestamps\.(topic|producer)\..*|.*timestamps\.topic\..*"
    ),
    "of internal topics, which ccr makes with the broker's default": (
        r"(heartbeats|checkpoints|offset-syncs)\.topic\.replication\.factor"
    ),
    "ccr is told of every change at the time it looks": (
        r"refresh\.groups\..*|topic\.create\.backoff\.ms"
    ),
    "ccr writes each of its rounds; it has no interval of its own": (
        r"emit\.(heartbeats|checkpoints)\.interval\.seconds"
    ),
    "it names a class; ccr selects by regexes": (r"(topic|group|config\.property)\.filter\.class"),
    "ccr leaves out what other flows brought, by producer ids": (
        r"provenance\.header\..*|heartbeats\.replication\.enabled"
    ),
    "internal topics are named as MirrorMaker 2's default policy has it": (
        r"replication\.policy\.internal\..*"
    ),
}
_COMPILED = [(re.compile(pattern), reason) for reason, pattern in _REASONS.items()]


def why_unneeded(key: str) -> str | None:
    """Return why a setting needs no counterpart; None when it is not known."""
    return next((reason for pattern, reason in _COMPILED if pattern.fullmatch(key)), None)
