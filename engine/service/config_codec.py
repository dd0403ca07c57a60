"""What goes over the control socket about the configuration, as JSON (see engine.service.codec)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, TypeAdapter

from engine.api.config_snapshots import Applied, ConfigDocument, Proposal
from engine.config.editing.edits import Edit
from engine.service.codec import Body

DOCUMENT = TypeAdapter(ConfigDocument)
PROPOSAL = TypeAdapter(Proposal)
APPLIED = TypeAdapter(Applied)
EDITS = TypeAdapter(tuple[Edit, ...])
_Edit = Annotated[Edit, Field(discriminator="kind")]


class ProposeBody(Body):
    """What POST /v1/config/propose takes."""

    edits: tuple[_Edit, ...]


class SaveBody(Body):
    """What POST /v1/config/save takes; `digest` is of the file that the edits were proposed for."""

    edits: tuple[_Edit, ...]
    digest: str


class ReloadBody(Body):
    """What POST /v1/config/reload takes."""

    dry_run: bool = False


class StoreBody(Body):
    """What POST /v1/config/secret takes."""

    reference: str
    value: SecretStr
