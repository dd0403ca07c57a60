"""Connectors' settings: what would change, and what their plugin says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.connect.client import ConnectClient
from engine.connect.hiding import hidden_in, put_back, shown
from engine.connect.models import Settings, Validation
from engine.errors import CcrError, RefusedError

CLASS = "connector.class"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings to be written. Both sides in the clear: neither is to leave the engine."""

    current: Settings | None = field(repr=False)
    """None: there is no such connector."""
    settings: Settings = field(repr=False)
    secret: frozenset[str]
    """Keys that the plugin says are passwords."""

    @property
    def plugin(self) -> str:
        """The connector's class."""
        return self.settings.get(CLASS) or ""

    def changed(self) -> list[str]:
        """Return the keys that differ, sorted."""
        before = self.current or {}
        keys = before.keys() | self.settings.keys()
        return sorted(key for key in keys if before.get(key) != self.settings.get(key))

    def shown(self) -> tuple[Settings, Settings]:
        """Return what is there and what is wanted, with secrets hidden."""
        return shown(self.current or {}, self.secret), shown(self.settings, self.secret)


class SecretKeys:
    """Which settings of a plugin are passwords, as it says; asked for once a plugin."""

    def __init__(self, client: ConnectClient) -> None:
        self._client = client
        self._known: dict[str, frozenset[str]] = {}

    async def of(self, plugin: str | None) -> frozenset[str]:
        """Return the keys; none for a plugin that the workers do not have."""
        if not plugin:
            return frozenset()
        if plugin not in self._known:
            try:
                keys = await self._client.plugin_keys(plugin)
            except CcrError:
                return frozenset()  # names tell then; whatever is wrong is told where it matters
            self._known[plugin] = frozenset(key.name for key in keys if key.type == "PASSWORD")
        return self._known[plugin]


async def wanted(
    client: ConnectClient, keys: SecretKeys, name: str, given: Settings, *, patch: bool
) -> Wanted:
    """Work out the settings that are meant; raises RefusedError for what cannot be."""
    current = await _current(client, name)
    if current is None and patch:
        raise RefusedError(
            "changing connector", name, f"{client.name} has no such connector",
            f"What there is: ccr connect list --on {client.name}",
        )  # fmt: skip
    merged = {**current, **given} if patch and current is not None else dict(given)
    settings: Settings = {key: value for key, value in merged.items() if value is not None}
    if settings.setdefault("name", name) != name:
        raise RefusedError(
            "writing connector", name, f"its settings have the name {settings['name']}",
            "Correct one of the two; a connector cannot be renamed",
        )  # fmt: skip
    plugin = settings.get(CLASS)
    if not plugin:
        raise RefusedError("writing connector", name, f"{CLASS} is missing", "Add it")
    secret = await keys.of(plugin)
    return Wanted(current, put_back(name, settings, current or {}, secret), secret)


async def _current(client: ConnectClient, name: str) -> Settings | None:
    if name not in await client.names():
        return None
    return await client.settings(name)


def errors_in(validation: Validation, settings: Settings) -> list[tuple[str, str]]:
    """Return keys with what is wrong with them, without repeating a secret."""
    return [
        (each.value.name, hidden_in(error, settings))
        for each in validation.configs
        for error in each.value.errors
    ]
