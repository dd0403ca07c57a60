"""What a value's check may need to know about the file it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from engine.config.home import expanded


@dataclass(frozen=True, slots=True)
class FileContext:
    """Given to the model by the loader; a model that is built in code has none."""

    folder: Path
    """Relative paths in the file start here."""
    plaintext_secrets: bool
    """The file says allow_plaintext_secrets."""


def context_of(info: ValidationInfo) -> FileContext | None:
    """Return the file's context; None for a model that is built in code."""
    context: Any = info.context
    return context if isinstance(context, FileContext) else None


def resolve(path: str, context: FileContext | None) -> str:
    """Expand `~`, and start relative paths at the configuration file, wherever ccr is started.

    Raises ValueError when `~` names a user that this host does not have.
    """
    found = expanded(path)
    if path.startswith("~") and found == Path(path):
        raise ValueError("begins at the home of a user that this host does not have")
    return str(context.folder / found if context else found)


def _resolve(path: str, info: ValidationInfo) -> str:
    return resolve(path, context_of(info))


FilePath = Annotated[str, Field(min_length=1), AfterValidator(_resolve)]
