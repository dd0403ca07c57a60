"""Looking at flows that are being written: sections that no flow runs with yet."""

from __future__ import annotations

from collections.abc import Mapping

from engine.config.flow_section import FlowConfig
from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.replication.board import Board
from engine.replication.state_records import FlowRecord
from engine.replication.topics.preview import Previewer


class Candidates:
    """Previewers of sections; those between the same clusters share what they learnt of them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Previewer] = {}

    def previewer(
        self,
        flow: str,
        section: FlowConfig,
        clusters: Mapping[str, Cluster],
        running: Previewer | None,
    ) -> Previewer:
        """Return one for a section.

        `running` is the flow's own, if there is such a flow: between the same clusters, what was
        mirrored already counts. Raises RefusedError for clusters that the engine does not have.
        """
        ends = _cluster(clusters, section.source), _cluster(clusters, section.target)
        if running is not None and running.clusters == ends:
            return running.trying(flow, section)
        names = section.source, section.target
        base = self._kept.get(names)
        if base is None or base.clusters != ends:
            record = FlowRecord()
            base = Previewer(flow, section, ends, Board(flow), lambda: record)
            self._kept[names] = base
        return base.trying(flow, section)


def _cluster(clusters: Mapping[str, Cluster], name: str) -> Cluster:
    if name not in clusters:
        known = ", ".join(clusters) or "none"
        raise RefusedError(
            "finding cluster", name, f"it is none of the engine's ({known})",
            "Save the cluster first",
        )  # fmt: skip
    return clusters[name]
