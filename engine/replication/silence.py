"""A broker that owes an answer: told long before the request's time limit ends the connection."""

from __future__ import annotations

import time

from engine.errors import ConnectError
from engine.kafka.connection import DataConnection

SILENT_S = 5.0  # several times what any answer takes, a long poll's included


class Silence:
    """Since when one link's connection has been silent."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._since = 0.0  # seconds since the epoch, kept so that the words stay the same
        self.connection: DataConnection | None = None

    def trouble(self) -> ConnectError | None:
        """Return what to show while an answer is overdue."""
        silent = self.connection.silent_for if self.connection is not None else 0.0
        if self.connection is None or silent < SILENT_S:
            self._since = 0.0
            return None
        self._since = self._since or time.time() - silent
        at = time.strftime("%H:%M:%S", time.localtime(self._since))
        return ConnectError(
            "waiting for cluster",
            f"{self._cluster} at {self.connection.address}",
            f"the broker has answered nothing since {at}",
            "It goes on as soon as the broker answers; is the broker frozen, or the network gone?",
        )
