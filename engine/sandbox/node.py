"""One broker of a sandbox, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.broker import BrokerHome, ClusterSpec, broker_properties
from engine.sandbox.health import wait_until_ready
from engine.sandbox.java import JavaKit
from engine.sandbox.managed import Managed
from engine.sandbox.state import ClusterState, NodeState

READY_TIMEOUT_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Node(Managed):
    """A broker with all that acting on it takes; `save` writes the sandbox's state down."""

    cluster_name: str
    cluster: ClusterState
    state: NodeState
    home: BrokerHome
    authority_folder: Path
    save: Callable[[], None]

    def __str__(self) -> str:
        return f"broker {self.state.id} of {self.cluster_name}"

    async def prepare(self, kit: JavaKit) -> None:
        """Write the settings, and format the data folder if it never was."""
        security = ClusterSpec.from_state(self.cluster.spec).security
        if security is not None:
            security.prepare(self.home.folder, self.authority_folder)
        self.home.write_properties(broker_properties(self.cluster, self.state, self.home.data))
        if not self.home.is_formatted:
            token = self.new_token()
            await self.home.format(kit, self.cluster.cluster_id, token, security)

    def start(self, kit: JavaKit) -> None:
        """Start the process; the broker is not ready yet."""
        token = self.new_token()
        self.state.process = self.home.start(kit, ClusterSpec.from_state(self.cluster.spec), token)
        self.save()

    async def wait_until_ready(self, peers: Sequence[int]) -> None:
        """Wait until it serves requests, and for its `peers` (broker numbers) to have joined."""
        await wait_until_ready(
            self.state.port,
            self.state.id,
            peers,
            timeout_seconds=READY_TIMEOUT_SECONDS,
            check_alive=self._require_alive,
        )

    def _require_alive(self) -> None:
        if not self.is_running:
            raise SandboxError(
                "start", str(self), f"its process ended: {self.home.last_words()}",
                f"See {self.home.log_file}",
            )  # fmt: skip
