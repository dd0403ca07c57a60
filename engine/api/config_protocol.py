"""ConfigApi: the configuration file behind a running engine, read, changed and applied.

Commands raise `RefusedError` when the engine is read-only, when the file was changed meanwhile, or
when it cannot be written; and `ConfigError` for a file that is not valid (from an engine in this
process `engine.config.problems.InvalidConfigError`, with every problem), or when an edit cannot be
made without touching something else. Nothing is changed then, neither file nor engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import SecretStr

from engine.api.config_snapshots import Applied, ConfigDocument, Proposal
from engine.api.snapshots import CommandResult
from engine.config.editing.edits import Edit


class ConfigApi(Protocol):
    """The configuration file, and what of it the engine runs."""

    async def document(self) -> ConfigDocument:
        """Return the file as it is written now; raises ConfigError when it cannot be read."""
        ...

    async def propose(self, edits: Sequence[Edit]) -> Proposal:
        """Try edits on the file: the difference, what is wrong with it, what it would do.

        Changes nothing, so a read-only engine answers too. Raises ConfigError when the file cannot
        be read or an edit cannot be made; what is wrong with the result is in the answer.
        """
        ...

    async def save(self, edits: Sequence[Edit], digest: str) -> Applied:
        """Write the file with these edits, and apply it: in one go all that it says.

        `digest` is the one that was proposed (or read) from; raises RefusedError when the file is
        not that one any more. Takes as long as the flows that stop or restart need to drain.
        """
        ...

    async def reload(self, *, dry_run: bool = False) -> Applied:
        """Apply what the file says now; with `dry_run` only tell what that would do.

        Raises ConfigError when there is anything wrong with the file.
        """
        ...

    async def store_secret(self, reference: str, value: SecretStr) -> CommandResult:
        """Put a secret into the keyring of the engine's user: `keyring:SERVICE/USER`.

        The clusters that refer to it are tried again at once. Raises RefusedError for any other
        kind of reference, and CcrError with the ways out when there is no keyring here.
        """
        ...
