"""A record on its way to a row: ids and details that are redacted on their own, addresses of its contents."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
import xxhash
from django.utils import timezone

from apps.accounts.keys import Keyring
from apps.contents.addressing import Original, address, canonical
from apps.contents.models import ContentKind
from apps.ingest.details import split
from slmhub.formats import Record, signature
from slmhub.formats.records import Issue
from slmhub.formats.storable import may_hold_nul, storable, storable_json, storable_text

MOST_MESSAGES = 32_000
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
CLOCK_ISSUE = "clock_out_of_range"
FINGERPRINT_BYTES = 8
_ISSUES = frozenset({*(issue.value for issue in Issue), CLOCK_ISSUE})
_LARGEST_COUNT = 2**31 - 1
_SIMULATED = "simulated-teacher"
_MOST_ADDRESSES = 200_000
_TRACE_ID, _SPAN_ID = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{16}")


class UnstorableError(Exception):
    """The record is well formed, but no row can hold it."""


@dataclass(slots=True)
class PendingSpan:
    """One record while its batch is worked on; `ids` and `details` are redacted in place."""

    line: int
    record: Record
    ids: list[str]
    fingerprint: bytes
    started_at: datetime
    is_guess: bool = False
    # So many of `ids`, from the first, are OpenTelemetry's random numbers: nothing of a person is in them.
    random_ids: int = 0
    emitter: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    issues: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    tools: bytes | None = None
    output: bytes | None = None
    # Attributes that are too long for a row.
    long: bytes | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What names the span in its workspace: (trace id, span id)."""
        return fitted(self.ids[0], 100), fitted(self.ids[1], 100)

    @property
    def session(self) -> str:
        return fitted(self.ids[3], 200)

    @property
    def user(self) -> str:
        return fitted(self.ids[4], 200)

    @property
    def digests(self) -> list[bytes]:
        return [*self.messages, *(digest for digest in (self.tools, self.output, self.long) if digest)]


def pending_span(line: int, record: Record, keyring: Keyring) -> PendingSpan:
    given = [record.trace_id, record.span_id, record.parent_id or "", record.session or "", record.user or ""]
    ids = [storable_text(text) for text in given]
    moment = started_at(record)
    return PendingSpan(
        line=line,
        record=record,
        ids=ids,
        fingerprint=fingerprint(record, keyring),
        started_at=moment or guessed_at(record),
        is_guess=moment is None,
        random_ids=_random_ids(*ids[:3]),
        emitter=storable_text(record.emitter[:120]),
    )


def _random_ids(trace_id: str, span_id: str, parent_id: str) -> int:
    """A span id of digits only may read as a card's number; a surrogate for it would tear its tree apart."""
    if not _TRACE_ID.fullmatch(trace_id) or not _SPAN_ID.fullmatch(span_id):
        return 0
    return 3 if not parent_id or _SPAN_ID.fullmatch(parent_id) else 2


def fingerprint(record: Record, keyring: Keyring) -> bytes:
    """The same for a redelivery; equality shows only to holders of the workspace's key."""
    try:
        plain = msgspec.json.encode(record)
    except (TypeError, ValueError, OverflowError, RecursionError):
        plain = repr(record).encode(errors="replace")
    return hashlib.blake2b(plain, digest_size=FINGERPRINT_BYTES, key=keyring.digest(b"delivery")).digest()


class Addresses:
    """The addresses of what is said again and again: an agent repeats its history in each call."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._of: dict[bytes, bytes] = {}

    def take(self, item: PendingSpan, originals: dict[bytes, Original]) -> None:
        """Sets the addresses of an item and adds its contents to `originals`. Raises UnstorableError."""
        record = item.record
        if len(record.messages) > MOST_MESSAGES:
            raise UnstorableError(
                f"{len(record.messages):,} messages in one call; at most {MOST_MESSAGES:,} fit"
            )
        if len(self._of) > _MOST_ADDRESSES:
            self._of.clear()
        found: dict[bytes, Original] = {}
        item.messages = [self._address(ContentKind.MESSAGE, message, found) for message in record.messages]
        item.tools = self._address(ContentKind.TOOLS, record.tools, found) if record.tools else None
        item.output = self._address(ContentKind.MESSAGE, record.output, found) if record.output else None
        details, long = details_of(item)
        item.details = details
        item.long = self._address(ContentKind.DETAILS, long, found) if long else None
        originals.update(found)

    def _address(self, kind: ContentKind, value: Any, found: dict[bytes, Original]) -> bytes:
        try:
            written = orjson.dumps(value)
            if may_hold_nul(written):
                written = orjson.dumps(value := storable_json(value))
            seen = kind[:1].encode() + xxhash.xxh3_128_digest(written)
            digest = self._of.get(seen)
            if digest is None:
                digest = self._of[seen] = address(self.keyring, kind, canonical(value))
        except TypeError as error:
            raise UnstorableError(f"a message holds something that is not JSON: {error}") from error
        if digest not in found:
            found[digest] = Original(kind, value, written, digest)
        return digest


def details_of(item: PendingSpan) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands on the span itself and what of it is too long for that, still in clear."""
    record = item.record
    attributes = dict(record.attributes)
    if record.tags:
        attributes["tags"] = record.tags
    item.issues = _issues(item, attributes)
    parameters, long_parameters = split(_storable_attributes(record.parameters))
    if long_parameters:
        attributes["parameters"] = long_parameters
    short, long = split(_storable_attributes(attributes))
    details = {
        "name": storable_text(record.name),
        "provider": storable_text(record.provider or ""),
        "model": storable_text(record.model or ""),
        "finish_reason": storable_text(record.finish_reason or ""),
        "environment": storable_text(record.environment or ""),
        "error": storable_text(record.error or ""),
        "action": storable_text(signature.action_of(record.output)),
        "previous": storable_text(signature.previous_kind(record.messages)),
        "parameters": parameters,
        "attributes": short,
    }
    return details, long


def _issues(item: PendingSpan, attributes: dict[str, Any]) -> list[str]:
    """Takes what is odd about the record out of its attributes and adds what is odd about its clock."""
    record = item.record
    given = attributes.pop("issues", ())
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        attributes["issues_given"], given = given, ()
    if unknown := [name for name in given if name not in _ISSUES]:
        attributes["issues_given"] = unknown
    issues = {name for name in given if name in _ISSUES}
    if record.dropped:
        issues.add(Issue.ATTRIBUTES_DROPPED)
    if record.started_at and record.ended_at and aware(record.ended_at) < aware(record.started_at):
        issues.add(Issue.CLOCK_SKEW)
    if record.started_at is not None and item.started_at != aware(record.started_at):
        issues.add(CLOCK_ISSUE)
        attributes["started_at_given"] = record.started_at.isoformat()
    return sorted(str(issue) for issue in issues)


def clamped(moment: datetime) -> datetime:
    """A clock in 1970 or 2100 would put the call at the wrong end of every list for ever."""
    return min(max(moment, EARLIEST), timezone.now() + CLOCK_SKEW)


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def started_at(record: Record) -> datetime | None:
    return None if record.started_at is None else clamped(aware(record.started_at))


def guessed_at(record: Record) -> datetime:
    """When the span was seen at the latest."""
    seen = [datetime.fromtimestamp(min(record.message_times) / 1e9, UTC)] if record.message_times else []
    given = [*seen, *(aware(moment) for moment in (record.ended_at, record.revised_at) if moment)]
    return clamped(min(given)) if given else timezone.now()


def fitted(text: str, length: int) -> str:
    """At most `length` characters; what is cut off still tells two texts apart."""
    if len(text) <= length:
        return text
    return f"{text[: length - 33]}~{xxhash.xxh3_128_hexdigest(text.encode(errors='replace'))}"


def counted(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _LARGEST_COUNT else None


def says_simulated(record: Record) -> bool:
    """Whether its emitter says that no real model answered."""
    metadata = record.attributes.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("simulated"))


def is_of_the_demo(record: Record) -> bool:
    """Whether the answer says of itself that the demo's teacher gave it."""
    return bool(record.attributes.get("system_fingerprint") == _SIMULATED)


def _storable_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    try:
        clean: dict[str, Any] = storable(attributes)
        return clean
    except (RecursionError, ValueError) as error:
        raise UnstorableError(f"an attribute cannot be stored: {error}") from error
