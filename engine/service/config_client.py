"""ConfigApi over the control socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from engine.api.config_snapshots import Applied, ConfigDocument, Proposal
from engine.api.snapshots import CommandResult
from engine.config.editing.edits import Edit
from engine.service import config_codec as codec
from engine.service.wire import Wire

_PATH = "/v1/config"
_ABOUT = "the configuration"


class RemoteConfig:
    """Implements ConfigApi; see there for the methods and what they raise."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def document(self) -> ConfigDocument:
        """Return the file as it is written now."""
        document = await self._wire.get(_PATH, codec.DOCUMENT)
        if self._wire.read_only and not document.why_read_only:
            step = "Open it without --read-only"
            return replace(document, why_read_only="ccr was opened read-only", what_to_do=step)
        return document

    async def propose(self, edits: Sequence[Edit]) -> Proposal:
        """Try edits on the file."""
        return await self._wire.ask(f"{_PATH}/propose", _edits(edits), codec.PROPOSAL)

    async def save(self, edits: Sequence[Edit], digest: str) -> Applied:
        """Write the file with these edits, and apply it."""
        self._wire.check_may_change("saving", _ABOUT)
        body = {**_edits(edits), "digest": digest}
        return await self._wire.ask(f"{_PATH}/save", body, codec.APPLIED)

    async def reload(self, *, dry_run: bool = False) -> Applied:
        """Apply what the file says now."""
        if not dry_run:
            self._wire.check_may_change("reloading", _ABOUT)
        return await self._wire.ask(f"{_PATH}/reload", {"dry_run": dry_run}, codec.APPLIED)

    async def store_secret(self, reference: str, value: SecretStr) -> CommandResult:
        """Put a secret into the keyring of the engine's user."""
        body = {"reference": reference, "value": value.get_secret_value()}
        return await self._wire.post("storing", "the secret", f"{_PATH}/secret", body)


def _edits(edits: Sequence[Edit]) -> dict[str, Any]:
    return {"edits": codec.EDITS.dump_python(tuple(edits), mode="json")}
