"""A record on its way to a row: ids and details that are redacted on their own, addresses of its contents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import xxhash
from django.utils import timezone

from apps.accounts.keys import Keyring
from apps.contents.addressing import Original, address, canonical
from apps.contents.models import ContentKind
from slmhub.formats import Record, signature

MOST_MESSAGES = 32_000
LARGEST_DETAILS = 64_000
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
CLOCK_ISSUE = "clock_out_of_range"
_LARGEST_COUNT = 2**31 - 1
_SIMULATED = "simulated-teacher"


class UnstorableError(Exception):
    """The record is well formed, but no row can hold it."""


@dataclass
class Staged:
    """One record while its batch is worked on; `ids` and `details` are redacted in place."""

    line: int
    record: Record
    ids: list[str]
    details: dict[str, Any] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)
    tools: bytes | None = None
    output: bytes | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes a redelivery a duplicate: (trace id, span id)."""
        return fitted(self.ids[0], 100), fitted(self.ids[1], 100)

    @property
    def session(self) -> str:
        return fitted(self.ids[3], 200)

    @property
    def digests(self) -> list[bytes]:
        return [*self.messages, *(digest for digest in (self.tools, self.output) if digest)]


def staged(line: int, record: Record) -> Staged:
    ids = [record.trace_id, record.span_id, record.parent_id or "", record.session or "", record.user or ""]
    return Staged(line, record, ids)


def addressed(item: Staged, keyring: Keyring, originals: dict[bytes, Original]) -> None:
    """Sets the addresses of an item and adds its contents to `originals`. Raises UnstorableError."""
    record = item.record
    if len(record.messages) > MOST_MESSAGES:
        raise UnstorableError(f"{len(record.messages):,} messages in one call; at most {MOST_MESSAGES:,} fit")
    found: dict[bytes, Original] = {}
    item.messages = [_address(keyring, ContentKind.MESSAGE, message, found) for message in record.messages]
    item.tools = _address(keyring, ContentKind.TOOLS, record.tools, found) if record.tools else None
    item.output = _address(keyring, ContentKind.MESSAGE, record.output, found) if record.output else None
    originals.update(found)


def _address(keyring: Keyring, kind: ContentKind, value: Any, found: dict[bytes, Original]) -> bytes:
    try:
        plain = canonical(value)
    except TypeError as error:
        raise UnstorableError(f"a message holds something that is not JSON: {error}") from error
    digest = address(keyring, kind, plain)
    if digest not in found:
        found[digest] = Original(kind, value, plain, digest)
    return digest


def details_of(record: Record) -> dict[str, Any]:
    """What stands on the span itself, still in clear."""
    attributes = {**record.attributes, **({"tags": record.tags} if record.tags else {})}
    if record.usage.reasoning:
        attributes["reasoning_tokens"] = record.usage.reasoning
    if record.started_at is not None and clamped(record.started_at) != record.started_at:
        attributes["issues"] = sorted({*attributes.get("issues", ()), CLOCK_ISSUE})
        attributes["started_at_given"] = record.started_at.isoformat()
    return {
        "name": record.name,
        "provider": record.provider or "",
        "model": record.model or "",
        "finish_reason": record.finish_reason or "",
        "error": record.error or "",
        "action": signature.action_of(record.output),
        "previous": signature.previous_kind(record.messages),
        "parameters": bounded(record.parameters),
        "attributes": bounded(attributes),
    }


def clamped(moment: datetime) -> datetime:
    """A clock in 1970 or 2100 would put the call at the wrong end of every list for ever."""
    return min(max(moment, EARLIEST), timezone.now() + CLOCK_SKEW)


def started_at(record: Record) -> datetime:
    return clamped(record.started_at) if record.started_at else timezone.now()


def bounded(mapping: dict[str, Any]) -> dict[str, Any]:
    """The mapping with its longest values left out until it is small enough for a narrow row."""
    sizes = {key: len(orjson.dumps(value, default=str)) + len(key) for key, value in mapping.items()}
    if sum(sizes.values()) <= LARGEST_DETAILS:
        return mapping
    kept, total = dict(mapping), sum(sizes.values())
    for key in sorted(sizes, key=lambda name: -sizes[name]):
        if total <= LARGEST_DETAILS:
            break
        total -= sizes[key]
        kept[key] = f"left out: {sizes[key]:,} bytes"
    return dict(list(kept.items())[:500])


def fitted(text: str, length: int) -> str:
    """At most `length` characters; what is cut off still tells two texts apart."""
    if len(text) <= length:
        return text
    return f"{text[: length - 33]}~{xxhash.xxh3_128_hexdigest(text.encode(errors='replace'))}"


def counted(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _LARGEST_COUNT else None


def is_simulated(record: Record) -> bool:
    """Whether the answer says of itself that the demo's teacher gave it."""
    metadata = record.attributes.get("metadata")
    said = isinstance(metadata, dict) and metadata.get("simulated")
    return bool(said) or record.attributes.get("system_fingerprint") == _SIMULATED
