"""ClustersApi on an engine in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue, SecretStr, ValidationError

from engine.api.cluster_snapshots import ClusterDetail, ClusterList, ConnectionTest
from engine.api.snapshots import CommandResult
from engine.clusters.looking import ClusterLooker
from engine.clusters.tester import ConnectionTester
from engine.config.cluster_section import ClusterConfig
from engine.config.context import FileContext
from engine.config.problems import dotted
from engine.config.sections import secrets_of
from engine.config.wording import path_of, sentence
from engine.engine import Engine
from engine.errors import ConfigError, RefusedError

TESTS_KEPT = 8


class LocalClustersApi:
    """The clusters' namespace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lookers: dict[str, ClusterLooker] = {}
        self._tests: dict[int, tuple[ConnectionTester, asyncio.Task[None]]] = {}
        self._last_test = 0

    async def list(self) -> ClusterList:
        """Return the clusters as last seen."""
        return self._engine.list_clusters()

    async def detail(self, name: str) -> ClusterDetail:
        """Ask a cluster for brokers, topics, groups and more."""
        self._section(name)
        cluster = self._engine.clusters[name]
        looker = self._lookers.get(name)
        if looker is None or looker.cluster is not cluster:
            # Another one of that name, by a changed configuration; others may have gone with it.
            kept = self._engine.clusters.keys() & self._lookers.keys()
            self._lookers = {each: self._lookers[each] for each in kept}
            looker = self._lookers[name] = ClusterLooker(cluster)
        return await looker.look()

    async def test(
        self,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> ConnectionTest:
        """Begin to test the connection to a cluster, step by step."""
        config = self._engine.config
        if section is None:
            tested = self._section(name)
        else:
            tested = self._candidate(name, section, secrets or {})
        self._last_test += 1
        tester = ConnectionTester(self._last_test, name, tested, config)
        task = asyncio.create_task(tester.run(), name=f"test {name}")
        self._tests[self._last_test] = tester, task
        for number in list(self._tests)[:-TESTS_KEPT]:
            self._tests.pop(number)[1].cancel()
        return tester.snapshot()

    async def tested(self, number: int) -> ConnectionTest:
        """Return how far a test is."""
        if number not in self._tests:
            raise RefusedError(
                "looking at the test", str(number), "it is not known any more", "Test again"
            )
        return self._tests[number][0].snapshot()

    async def give_secret(self, cluster: str, key: str, value: SecretStr) -> CommandResult:
        """Give a secret that cannot be had, or is wrong, where the configuration says."""
        if self._engine.read_only:
            raise RefusedError(
                "giving a secret for cluster", cluster, "this engine is read-only",
                "Start without --read-only, or change the config",
            )  # fmt: skip
        self._engine.give_secret(cluster, key, value)
        text = f"{key} of {cluster} is held in memory until the engine ends; connecting with it"
        return CommandResult(True, text)

    def _section(self, name: str) -> ClusterConfig:
        clusters = self._engine.config.clusters
        if name not in clusters:
            known = ", ".join(clusters)
            raise RefusedError("finding cluster", name, f"it is none of this config's ({known})")
        return clusters[name]

    def _candidate(
        self, name: str, section: Mapping[str, JsonValue], secrets: Mapping[str, SecretStr]
    ) -> ClusterConfig:
        engine = self._engine
        folder = Path(engine.config_path).resolve().parent
        context = FileContext(folder, plaintext_secrets=engine.config.allow_plaintext_secrets)
        try:
            made = ClusterConfig.model_validate(dict(section), context=context)
        except ValidationError as error:
            raise _wrong(name, section, error) from None
        held = [secret for _, secret in secrets_of(engine.config)]
        for _, secret in secrets_of(made):
            for other in held:
                secret.take_from(other)
            if str(secret) in secrets:
                secret.give(secrets[str(secret)])
        return made


def _wrong(name: str, section: Mapping[str, JsonValue], error: ValidationError) -> ConfigError:
    """Say the first thing that is wrong with a section, but no value."""
    errors = error.errors(include_url=False, include_input=False)
    # A key that is misspelt is also missing: its own error says more.
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    first["loc"] = ("clusters", name, *first["loc"])
    path = path_of(first)[2:]
    value: object = section
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) else None
    return ConfigError("testing cluster", name, f"{dotted(path)} {sentence(first, value)}")
