"""Tool definitions, whichever provider's shape they were sent in."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import text_of
from slmhub.formats.parts import function_tool

_SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "schema")


def definition_of(given: dict[str, Any], *, name: str | None = None) -> dict[str, Any]:
    """OpenAI's shape of a flat, Anthropic, Gemini or Bedrock definition; a provider's own tool as it is."""
    if isinstance(given.get("function"), dict):
        return {"type": "function", **given}
    inner = given.get("toolSpec")
    flat = inner if isinstance(inner, dict) else given
    called = text_of(flat.get("name")) or name
    if called is None or given.get("type") not in (None, "function", "custom"):
        return given
    schema = next((flat[key] for key in _SCHEMAS if flat.get(key) is not None), None)
    if isinstance(schema, dict) and schema.keys() == {"json"}:
        schema = schema["json"]
    strict = {"strict": flat["strict"]} if flat.get("strict") is not None else {}
    return function_tool(called, flat.get("description"), schema, **strict)
