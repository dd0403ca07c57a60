"""The JSON Schema of the configuration file, made from the model; editors complete with it."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from engine.config.model import Config

FILE_NAME = "ccr.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles that only repeat the keys' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def schema_text() -> str:
    """Return the schema as it is shipped: indented JSON with a final newline."""
    schema = Config.model_json_schema(schema_generator=_WithoutTitles)
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
