"""A MirrorSourceConnector: MirrorMaker 2 as a connector of a Connect cluster."""

from __future__ import annotations

from engine.importing.connectors import ConnectorFile
from engine.importing.drafts import FlowDraft
from engine.importing.mirror_flows import FLOW_KEYS, READER_KEYS, MirrorFlow

CLASS = "MirrorSourceConnector"


class MirrorConnectorFile(ConnectorFile):
    """Our clusters and flow out of a MirrorSourceConnector's settings."""

    SOURCE = ("source.cluster.", "source.admin.", "source.consumer.", "source.producer.")
    TARGET = ("target.cluster.", "target.admin.", "target.producer.", "producer.override.")
    READER = ("source.consumer.", "consumer.override.", "consumer.")

    def fill_in(self, flow: FlowDraft) -> None:
        """Account for what is said about the flow."""
        found = {key: setting for key in FLOW_KEYS if (setting := self.ledger.get(key))}
        found |= self.reader_settings(READER_KEYS)
        MirrorFlow(self.ledger, flow, found).fill_in()
