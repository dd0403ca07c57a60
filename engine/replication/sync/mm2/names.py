"""How MirrorMaker 2 names its topics, with clusters' names as its aliases and `.` as separator.

As `DefaultReplicationPolicy` and `IdentityReplicationPolicy` have it (KIP-690; both in
`connect/mirror-client/src/main/java/org/apache/kafka/connect/mirror/`), unless
`replication.policy.separator` is set there. Where the offset syncs are: `offsetSyncsTopic` of
`MirrorSourceConfig` and `MirrorCheckpointConfig`.
"""

from __future__ import annotations

from engine.config.flow_section import FlowConfig
from engine.config.sync_sections import HeartbeatsOn, OffsetSyncsOn

SEPARATOR = "."
HEARTBEATS = "heartbeats"


def replicated_heartbeats(source: str) -> str:
    """Name the mirror of a source's heartbeats; it has a prefix under every policy."""
    return f"{source}{SEPARATOR}{HEARTBEATS}"


def checkpoints(source: str) -> str:
    """Name the topic, on the target, of checkpoints of a source's consumer groups."""
    return f"{source}{SEPARATOR}checkpoints{SEPARATOR}internal"


def offset_syncs(other: str) -> str:
    """Name the topic of offset syncs; `other` is the one of the two clusters that it is not on."""
    return f"mm2-offset-syncs{SEPARATOR}{other}{SEPARATOR}internal"


def connect_offsets(source: str) -> str:
    """Name the topic, on the target, in which a dedicated MirrorMaker 2 keeps its positions."""
    return f"mm2-offsets{SEPARATOR}{source}{SEPARATOR}internal"


def written_on_source(flow: FlowConfig) -> list[str]:
    """Return the topics on the source that a flow writes."""
    wanted, found = flow.mm2, []
    if wanted.heartbeats == HeartbeatsOn.BOTH:
        found.append(HEARTBEATS)
    if wanted.offset_syncs == OffsetSyncsOn.SOURCE:
        found.append(offset_syncs(flow.target))
    return found


def written_on_target(flow: FlowConfig) -> list[str]:
    """Return the topics on the target that a flow writes."""
    wanted, found = flow.mm2, []
    if wanted.heartbeats is not None:
        found.append(HEARTBEATS)
    if wanted.checkpoints:
        found.append(checkpoints(flow.source))
    if wanted.offset_syncs == OffsetSyncsOn.TARGET:
        found.append(offset_syncs(flow.source))
    return found
