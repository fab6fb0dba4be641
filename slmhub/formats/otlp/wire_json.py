"""The JSON mapping of OTLP: ids in hex, 64-bit integers as strings, values wrapped by their type.

Taken with tolerance, as the specification asks: unknown fields are passed over, and beside the mapping's own
spelling come snake case names, ids in base64 and enums by name, which JSON writers of protobuf produce.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from math import isfinite
from typing import Any, NamedTuple

import orjson

from slmhub.formats.fields import object_in, objects_in, string_in

_DEEPEST = 64
LINKS, TRACE_STATE = "otel.links", "otel.trace_state"
_INT64 = range(-(2**63), 2**63)


class Keys(NamedTuple):
    """The names of one signal, the specification's spelling first."""

    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    items: tuple[str, ...]


SPANS = Keys(("resourceSpans", "resource_spans"), ("scopeSpans", "scope_spans"), ("spans",))
LOGS = Keys(("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"), ("logRecords", "log_records"))

_ENUMS = {
    "STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2,
    "SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5,
}  # fmt: skip


def field(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of the names that is present."""
    return next((item[name] for name in names if name in item), None)


def has(item: Any, names: tuple[str, ...]) -> bool:
    return isinstance(item, dict) and any(name in item for name in names)


def items_of(groups: list[Any], keys: Keys) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """(resource attributes, scope, span or log record); what is no object stands for a broken item."""
    for group in groups:
        resource = attributes_of(object_in(object_in(group).get("resource")).get("attributes"))
        for scoped in _listed(group, keys.scopes):
            scope = object_in(object_in(scoped).get("scope"))
            label = f"{string_in(scope.get('name'))} {string_in(scope.get('version'))}".strip()
            place = with_scope(resource, attributes_of(scope.get("attributes")))
            for item in _listed(scoped, keys.items):
                yield place, label, item


def with_scope(resource: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """The resource's attributes with those of an instrumentation scope beside them."""
    return {**resource, **{f"scope.{key}": value for key, value in scope.items()}} if scope else resource


def ties_of(span: dict[str, Any]) -> dict[str, Any]:
    """What ties a span to others besides its parent; no convention reads it, so it stays a raw attribute."""
    state = text_of(span, "traceState", "trace_state")
    links = []
    for link in objects_of(span, "links"):
        trace_id, span_id = ids_of(link)
        links.append(
            {"trace_id": trace_id.hex(), "span_id": span_id.hex(), **attributes_of(link.get("attributes"))}
        )
    return {LINKS: links, TRACE_STATE: state} if links or state else {}


def ids_of(item: Any) -> tuple[bytes, bytes]:
    """Trace and span id, each empty when it cannot be read."""
    if not isinstance(item, dict):
        return b"", b""
    return id_of(field(item, ("traceId", "trace_id"))), id_of(field(item, ("spanId", "span_id")))


def id_of(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) > 64:
        return b""
    try:
        # 16 or 8 bytes make 24 or 12 characters of base64: lengths that no id in hex has.
        return b64decode(value, validate=True) if len(value) in (24, 12) else bytes.fromhex(value)
    except ValueError:
        return b""


def name_of(item: Any) -> str:
    given = object_in(item)
    return string_in(given.get("name")) or text_of(given, "eventName", "event_name")


def text_of(item: dict[str, Any], *names: str) -> str:
    return string_in(field(item, names))


def integer_of(item: dict[str, Any], *names: str) -> int:
    """An unsigned number or enum; 0 for anything else."""
    value = field(item, names)
    if isinstance(value, str):
        if value in _ENUMS:
            return _ENUMS[value]
        # Longer ones are no 64-bit numbers, and very long ones are slow to convert.
        value = int(value) if len(value) < 21 and _is_digits(value) else 0
    if isinstance(value, float) and isfinite(value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < 2**64 else 0


def object_of(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return object_in(field(item, names))


def objects_of(item: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    value = field(item, names)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def attributes_of(pairs: Any) -> dict[str, Any]:
    """A list of keys and values as a dict; what breaks this shape is kept under "unreadable_attributes"."""
    if not pairs:
        return {}
    if not isinstance(pairs, list):
        return {"unreadable_attributes": _bare(pairs)}
    attributes: dict[str, Any] = {}
    broken = []
    for pair in pairs:
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            attributes[pair["key"]] = value_of(pair.get("value"))
        else:
            broken.append(_bare(pair))
    return {**attributes, "unreadable_attributes": broken} if broken else attributes


def value_of(value: Any, depth: int = 0) -> Any:
    """The JSON value of an AnyValue; a value that is not wrapped stays as it is, a list as its JSON."""
    if not isinstance(value, dict):
        return _bare(value)
    if depth > _DEEPEST:
        return f"(nested deeper than {_DEEPEST} levels)"
    for key, raw in value.items():
        match key:
            case "stringValue" | "string_value" | "boolValue" | "bool_value" | "bytesValue" | "bytes_value":
                return _bare(raw)
            case "intValue" | "int_value":
                return _integer(raw)
            case "doubleValue" | "double_value":
                return _bare(raw)
            case "arrayValue" | "array_value":
                return [value_of(entry, depth + 1) for entry in _values_in(raw)]
            case "kvlistValue" | "kvlist_value":
                return {
                    string_in(pair.get("key")): value_of(pair.get("value"), depth + 1)
                    for pair in objects_in(_values_in(raw))
                }
    return None


def _values_in(raw: Any) -> list[Any]:
    values = object_in(raw).get("values")
    return values if isinstance(values, list) else []


def _integer(raw: Any) -> Any:
    if isinstance(raw, str) and len(raw) < 21 and _is_digits(raw.removeprefix("-")):
        number = int(raw)
        return number if number in _INT64 else raw
    return _bare(raw)


def _bare(value: Any) -> Any:
    """What the mapping does not allow here, in a bounded form: lists and objects as their JSON."""
    if not isinstance(value, list | dict):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return f"(nested deeper than {_DEEPEST} levels)"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _listed(item: Any, names: tuple[str, ...]) -> list[Any]:
    """The list under one of the names; a broken level stands for one broken item below it."""
    if not isinstance(item, dict):
        return [item]
    value = field(item, names)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
