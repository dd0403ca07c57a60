"""What every section is made of: its base, and the kinds of values that several have."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.config.units import BYTES_PATTERN, SECONDS_PATTERN, parse_bytes, parse_seconds

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$"
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(min_length=1)]
_SizeText = Annotated[str, Field(pattern=BYTES_PATTERN)]
_TimeText = Annotated[str, Field(pattern=SECONDS_PATTERN)]
ByteSize = Annotated[
    int, Field(ge=1), BeforeValidator(parse_bytes, json_schema_input_type=int | _SizeText)
]
Seconds = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(parse_seconds, json_schema_input_type=float | _TimeText),
]


class Model(BaseModel):
    """Base of every section: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )
    noun: ClassVar[str]
    """What errors call the section."""
