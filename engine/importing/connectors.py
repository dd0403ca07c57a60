"""What connectors of both kinds have in common: two clusters by prefixes, and a name."""

from __future__ import annotations

from collections.abc import Sequence

from engine.importing.clusters import CLIENT_KEYS, ClusterMaker
from engine.importing.drafts import FlowDraft, SecretBox, valid_name
from engine.importing.ledger import Ledger
from engine.importing.leftovers import account_for_the_rest
from engine.importing.overrides import Overrides
from engine.importing.report import Setting


class ConnectorFile:
    """The settings of a connector: a source, a target and one flow."""

    # Each the one to ask for first, then how people write it, too; single clients last.
    SOURCE: Sequence[str] = ()
    TARGET: Sequence[str] = ()
    READER: Sequence[str] = ()

    def __init__(self, ledger: Ledger, secrets: SecretBox) -> None:
        self.ledger = ledger
        self._secrets = secrets
        self.clusters: dict[str, dict[str, object]] = {}
        self.flows: list[FlowDraft] = []

    def read(self) -> None:
        """Account for all settings."""
        source, target = self.names()
        if source == target:
            target = f"{source[:70]}-target"
            question = f"both clusters are called {source}: may this one be {target}?"
            self.ledger.decide("target.cluster.alias", question, f"clusters.{target}")
        self._make_cluster(source, self.SOURCE)
        self._make_cluster(target, self.TARGET)
        flow = FlowDraft(self._flow_name(source, target), source, target)
        self.fill_in(flow)
        self.flows.append(flow)
        for setting in list(self.ledger.open()):
            account_for_the_rest(self.ledger, setting, self._plain(setting.key))

    def names(self) -> tuple[str, str]:
        """Return what the clusters are called."""
        return self.alias("source.cluster.alias", "source"), self.alias(
            "target.cluster.alias", "target"
        )

    def fill_in(self, flow: FlowDraft) -> None:
        """Account for what is said about the flow."""
        raise NotImplementedError

    def alias(self, key: str, otherwise: str) -> str:
        """Return a cluster's name."""
        setting = self.ledger.get(key)
        if setting is None or not setting.value.strip():
            return otherwise
        name = valid_name(self.ledger, key, setting.value.strip(), otherwise)
        self.ledger.taken(setting, f"clusters.{name}")
        return name

    def _make_cluster(self, name: str, prefixes: Sequence[str]) -> None:
        found: dict[str, Setting] = {}
        for key in CLIENT_KEYS:
            setting = Overrides(self.ledger).first(f"{prefix}{key}" for prefix in prefixes)
            if setting is not None:
                found[key] = setting
        maker = ClusterMaker(self.ledger, self._secrets, name, found)
        self.clusters[name] = maker.make(f"{prefixes[0]}bootstrap.servers")

    def _flow_name(self, source: str, target: str) -> str:
        setting = self.ledger.get("name")
        otherwise = f"{source}-to-{target}"
        if setting is None or not setting.value.strip():
            return otherwise
        name = valid_name(self.ledger, "name", setting.value.strip(), otherwise)
        self.ledger.taken(setting, f"flows.{name}")
        return name

    def reader_settings(self, keys: Sequence[str]) -> dict[str, Setting]:
        """Find what the source's consumer is told."""
        found = {}
        for key in keys:
            setting = self.ledger.get(*(f"{prefix}{key}" for prefix in self.READER))
            if setting is not None:
                found[key] = setting
        return found

    def _plain(self, key: str) -> str:
        prefixes = sorted({*self.SOURCE, *self.TARGET, *self.READER}, key=len, reverse=True)
        before = next((each for each in prefixes if key.startswith(each)), "")
        return key.removeprefix(before)
