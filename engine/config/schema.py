"""The JSON Schema of the configuration file, made from the model; editors complete with it."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from engine.config.model import Config

FILE_NAME = "ccr.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the keys' names, and is strict about names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """Refuse names that are none; pydantic's own schema lets them pass unchecked."""
        generated = super().dict_schema(schema)
        if "patternProperties" not in generated:
            return generated  # any name will do
        return {**generated, "additionalProperties": False}


def schema_text() -> str:
    """Return the schema as it is shipped: indented JSON with a final newline."""
    schema = Config.model_json_schema(schema_generator=_Generator)
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
