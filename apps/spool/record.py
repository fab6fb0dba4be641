"""One acknowledged body with what is known of it, and how it lies sealed on the disk.

A spool file is a row of `length (4, big endian) | received at (8, ms) | sealed record`; a record is
`length of its header (4) | header as JSON | payload as received`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec
from django.conf import settings

from apps.core import encryption
from apps.core.encryption import SealBrokenError

LARGEST_RECORD = 256 * 1024**2
BIND = b"spool"
FRAME = 12


class PayloadKind(StrEnum):
    """How the payload of a record is read."""

    ROW = "row"
    OTLP_TRACES = "otlp_traces"
    OTLP_LOGS = "otlp_logs"
    LANGFUSE = "langfuse"
    LANGFUSE_SCORES = "langfuse_scores"
    LANGSMITH_BATCH = "langsmith_batch"
    LANGSMITH_MULTIPART = "langsmith_multipart"
    LANGSMITH_CREATE = "langsmith_create"
    LANGSMITH_UPDATE = "langsmith_update"


class Served(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How the gateway answered a call. It stands beside the call, never in it: nobody else can say this.

    `by` is the specialist's name or "teacher", `fallback` why a route's specialist did not answer.
    """

    by: str
    fallback: str = ""
    simulated: bool = False
    error: str = ""
    latency_ms: float | None = None
    ttft_ms: float | None = None


class Header(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename={"kind": "way"}):
    """`source` is one of traces.models.Source; `subject` the id that stood in the address."""

    kind: PayloadKind
    source: str
    agent: int
    content_type: str = ""
    encoding: str = ""
    emitter: str = ""
    subject: str = ""
    served: Served | None = None


class SpoolRecord(NamedTuple):
    header: Header
    payload: bytes


def spool_key() -> bytes:
    return encryption.derive(settings.MASTER_KEY.encode(), "spool")


def seal_record(record: SpoolRecord, key: bytes | None = None) -> bytes:
    header = msgspec.json.encode(record.header)
    plain = b"".join([len(header).to_bytes(4, "big"), header, record.payload])
    return encryption.seal(key or spool_key(), plain, bound_to=BIND)


def framed(sealed: bytes, received_at: float) -> bytes:
    return len(sealed).to_bytes(4, "big") + int(received_at * 1000).to_bytes(8, "big") + sealed


def record_of(plain: bytes) -> SpoolRecord:
    end = 4 + int.from_bytes(plain[:4], "big")
    try:
        return SpoolRecord(msgspec.json.decode(plain[4:end], type=Header), plain[end:])
    except msgspec.MsgspecError as error:
        raise SealBrokenError(f"the header of a record: {error}") from error
