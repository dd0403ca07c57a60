"""mm2.properties: MirrorMaker 2's own file (KIP-382), with its clusters and `a->b` flows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from engine.importing import values
from engine.importing.clusters import CLIENT_KEYS, ClusterMaker
from engine.importing.drafts import FlowDraft, SecretBox, valid_name
from engine.importing.ledger import Ledger
from engine.importing.leftovers import account_for_the_rest
from engine.importing.mirror_flows import FLOW_KEYS, READER_KEYS, MirrorFlow, truth_or
from engine.importing.overrides import Overrides
from engine.importing.report import Setting

_SERVERS = ".bootstrap.servers"
_CLIENTS = ("admin.", "consumer.", "producer.")
_KNOWN = {
    "enabled",
    "source.cluster.alias",
    "target.cluster.alias",
    *FLOW_KEYS,
    *(f"consumer.{key}" for key in READER_KEYS),
    *(f"{client}{key}" for client in ("", *_CLIENTS) for key in CLIENT_KEYS),
}
_UNUSED = "MirrorMaker 2 does not read it here, or something more special says it"


class MirrorMakerFile:
    """Our clusters and flows out of MirrorMaker 2's settings."""

    def __init__(self, ledger: Ledger, secrets: SecretBox) -> None:
        self._ledger = ledger
        self._secrets = secrets
        self.clusters: dict[str, dict[str, object]] = {}
        self.flows: list[FlowDraft] = []

    def read(self) -> None:
        """Account for all settings."""
        aliases = self._aliases()
        names: dict[str, str] = {}
        for number, alias in enumerate(aliases, 1):
            name = valid_name(self._ledger, "clusters", alias, f"cluster-{number}")
            names[alias] = f"{name[:70]}-{number}" if name in names.values() else name
        for alias, name in names.items():
            found = self._of_cluster(alias)
            maker = ClusterMaker(self._ledger, self._secrets, name, found)
            self.clusters[name] = maker.make(f"{alias}{_SERVERS}")
        made = set()
        for source, target in self._enabled(aliases):
            made.add((source, target))
            flow = FlowDraft(f"{names[source]}-to-{names[target]}", names[source], names[target])
            MirrorFlow(self._ledger, flow, self._of_flow(source, target)).fill_in()
            self.flows.append(flow)
        self._rest(aliases, made)

    def _aliases(self) -> list[str]:
        setting = self._ledger.get("clusters")
        if setting is not None and values.listed(setting.value):
            self._ledger.taken(setting, "clusters")
            return list(dict.fromkeys(values.listed(setting.value)))
        found = [
            each.key.removesuffix(_SERVERS)
            for each in self._ledger
            if each.key.endswith(_SERVERS) and "." not in each.key.removesuffix(_SERVERS)
        ]
        aliases = found or ["source", "target"]
        named = " and ".join(aliases)
        question = f"the file does not say which clusters there are; {named} are meant by its keys?"
        self._ledger.decide("clusters", question, "clusters")
        return aliases

    def _enabled(self, aliases: list[str]) -> Iterator[tuple[str, str]]:
        """Yield the flows to be made; where none is enabled, the one that is probably meant."""
        ledger = self._ledger
        said = {
            pair: setting
            for pair in permutations(aliases, 2)
            if (setting := ledger.get(f"{pair[0]}->{pair[1]}.enabled"))
        }
        for (source, target), setting in said.items():
            if truth_or(ledger, setting, False):
                ledger.taken(setting, f"flows.{source}-to-{target}")
                yield source, target
            else:
                ledger.no_counterpart(setting, "a flow that is not to run is not in our file")
        if said:
            return
        if len(aliases) != 2:
            question = "no flow is enabled, so MirrorMaker 2 replicates nothing: which are meant?"
            ledger.decide("SOURCE->TARGET.enabled", question, "flows")
            return
        source, target = aliases
        key = f"{source}->{target}.enabled"
        question = (
            "is missing, so MirrorMaker 2 would replicate nothing with this file; ccr takes the"
            f" flow to be meant: is {source} to {target} right?"
        )
        ledger.decide(key, question, f"flows.{source}-to-{target}")
        yield source, target

    def _of_cluster(self, alias: str) -> dict[str, Setting]:
        """Find the settings of a cluster, the more special before the more general."""
        found = {}
        for key in CLIENT_KEYS:
            ways = [f"{alias}.{key}", *(f"{alias}.{client}{key}" for client in _CLIENTS)]
            common = [key, *(f"{client}{key}" for client in _CLIENTS)]
            setting = Overrides(self._ledger).first(ways, common)
            if setting is not None and not (key == "bootstrap.servers" and setting.key == key):
                found[key] = setting
        return found

    def _of_flow(self, source: str, target: str) -> dict[str, Setting]:
        pair = f"{source}->{target}."
        found = {}
        for key in FLOW_KEYS:
            setting = self._ledger.get(f"{pair}{key}", f"{target}.{key}", key)
            if setting is not None:
                found[key] = setting
        for key in READER_KEYS:
            keys = (f"{before}consumer.{key}" for before in (pair, f"{source}.", ""))
            setting = self._ledger.get(*keys)
            if setting is not None:
                found[key] = setting
        return found

    def _rest(self, aliases: list[str], made: set[tuple[str, str]]) -> None:
        """Account for what nothing was made of."""
        pairs = {
            f"{source}->{target}.": (source, target) for source, target in permutations(aliases, 2)
        }
        for setting in list(self._ledger.open()):
            key = setting.key
            pair = next((each for each in pairs if key.startswith(each)), "")
            alias = max(
                (each for each in aliases if key.startswith(f"{each}.")), key=len, default=""
            )
            plain = (
                key.removeprefix(pair) if pair else key.removeprefix(f"{alias}." if alias else "")
            )
            if "->" in key and pairs.get(pair) not in made:
                self._ledger.no_counterpart(setting, "of a flow that is not enabled")
            elif alias and not pair and plain in ("cluster.alias", "alias"):
                self._alias(setting, alias)
            else:
                self._unused(setting, plain)

    def _unused(self, setting: Setting, plain: str) -> None:
        if plain in _KNOWN:
            self._ledger.no_counterpart(setting, _UNUSED)
        else:
            account_for_the_rest(self._ledger, setting, plain)

    def _alias(self, setting: Setting, alias: str) -> None:
        """Account for `source.cluster.alias`, a connector's setting in MirrorMaker 2's file."""
        if setting.value.strip() == alias:
            text = "MirrorMaker 2 does not read it here: clusters= names them"
            self._ledger.taken(setting, f"clusters.{alias}", text)
        else:
            question = f"MirrorMaker 2 does not read it here and calls the cluster {alias}: right?"
            self._ledger.decide(setting.key, question, f"clusters.{alias}")
