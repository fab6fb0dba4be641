"""Acknowledged bodies as records: each by the way it came in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from apps.core.compression import BrokenEncodingError, TooMuchError, UnknownEncodingError, undone
from apps.spool.record import Header, PayloadKind, Served, SpoolRecord
from apps.traces.models import Source
from slmhub.formats import MalformedError, Record, Reject, parse_rows
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.otlp import read, wire
from slmhub.formats.platforms.langfuse_ingestion import batch_of_scores
from slmhub.formats.platforms.langsmith_multipart import batch_of

LARGEST_BODY = 64 * 1024**2
_LISTS = ("batch", "post", "patch")

Item = TypeVar("Item")
JSON = "application/json"


class ServedRecord(Record, kw_only=True):
    """A call that the gateway answered, with its own word for how."""

    served: Served


def records_of(bodies: Sequence[SpoolRecord]) -> Iterator[Record | Reject]:
    """The records of all bodies; spans of one export after the other are read as one, so that trees meet.

    Raises MalformedError when a body is not what its check before the acknowledgement said.
    """
    traces, logs, rest = _sorted(bodies)
    if traces:
        yield from _of_spans(traces)
    if logs:
        yield from _of_logs(logs)
    for received in rest:
        yield from _of_rows(received)


def _sorted(bodies: Sequence[SpoolRecord]) -> tuple[list[SpoolRecord], list[SpoolRecord], list[SpoolRecord]]:
    kinds: dict[PayloadKind, list[SpoolRecord]] = {way: [] for way in PayloadKind}
    rest = []
    for received in bodies:
        if received.header.kind in (PayloadKind.OTLP_TRACES, PayloadKind.OTLP_LOGS):
            kinds[received.header.kind].append(received)
        else:
            rest.append(received)
    return kinds[PayloadKind.OTLP_TRACES], kinds[PayloadKind.OTLP_LOGS], rest


def is_json(content_type: str) -> bool:
    return content_type.lower().startswith(JSON)


def _of_spans(bodies: Iterable[SpoolRecord]) -> Iterator[Record | Reject]:
    found = [
        span
        for received in bodies
        for span in _exported(received, wire.spans_of_json, wire.spans_of_protobuf)
    ]
    yield from (span for span in found if isinstance(span, Reject))
    yield from read.records_of_spans(span for span in found if not isinstance(span, Reject))


def _of_logs(bodies: Iterable[SpoolRecord]) -> Iterator[Record | Reject]:
    found = [
        log for received in bodies for log in _exported(received, wire.logs_of_json, wire.logs_of_protobuf)
    ]
    yield from (log for log in found if isinstance(log, Reject))
    yield from read.records_of_logs(log for log in found if not isinstance(log, Reject))


def _exported(
    received: SpoolRecord, of_json: Callable[[Any], list[Item]], of_protobuf: Callable[[bytes], list[Item]]
) -> list[Item]:
    body = _plain(received)
    if not is_json(received.header.content_type):
        return of_protobuf(body)
    return of_json(_json(body))


def _of_rows(received: SpoolRecord) -> Iterator[Record | Reject]:
    row, format = _row_of(received)
    served = served_of(received.header, row)
    if served is not None:
        row = {**row, "error": served.error, "latency_ms": served.latency_ms, "ttft_ms": served.ttft_ms}
    try:
        found: list[Record | Reject] = parse_rows(row, format)
    except MalformedError:
        singles = list(_singles(row))
        if not singles:
            raise
        found = [item for single in singles for item in _parsed(single, format)]
    for item in found:
        if served is not None and isinstance(item, Record):
            yield ServedRecord(**msgspec.structs.asdict(item), served=served)
        else:
            yield item


def served_of(header: Header, row: Any) -> Served | None:
    """What the gateway says of its answer; None of what anybody else has sent, whatever stands in it."""
    if header.source != Source.GATEWAY:
        return None
    return header.served or _served_in(row)


def _served_in(row: Any) -> Served | None:
    """What a gateway wrote into the row itself, before there was a place for it in the header."""
    if not isinstance(row, dict) or "served_by" not in row:
        return None
    told = row.pop("slmhub", None) or {}
    return Served(
        by=str(row.pop("served_by")),
        fallback=str(told.get("fallback", "")),
        simulated=bool(told.get("simulated")),
        error=str(row.get("error") or ""),
        latency_ms=row.get("latency_ms"),
    )


def _singles(row: Any) -> Iterator[dict[str, list[Any]]]:
    """A batch as batches of one, so that one that breaks takes none of the others with it."""
    for name in _LISTS:
        entries = row.get(name) if isinstance(row, dict) else None
        yield from ({name: [entry]} for entry in entries or () if isinstance(entries, list))


def _parsed(row: Any, format: str) -> list[Record | Reject]:
    try:
        return parse_rows(row, format)
    except MalformedError as error:
        return [Reject(0, str(error), "")]


def _row_of(received: SpoolRecord) -> tuple[Any, str]:
    """The body as a row of a format of `slmhub.formats`."""
    header = received.header
    if header.kind is PayloadKind.LANGSMITH_MULTIPART:
        return batch_of(_plain(received), header.content_type), "langsmith_runs"
    document = _json(_plain(received))
    match header.kind:
        case PayloadKind.LANGFUSE:
            return document, "langfuse_ingestion"
        case PayloadKind.LANGFUSE_SCORES:
            return batch_of_scores(document), "langfuse_ingestion"
        case PayloadKind.LANGSMITH_BATCH:
            return document, "langsmith_runs"
        case PayloadKind.LANGSMITH_CREATE:
            return {"post": [document]}, "langsmith_runs"
        case PayloadKind.LANGSMITH_UPDATE:
            return {"patch": [{**document, "id": header.subject}]}, "langsmith_runs"
    return document, "auto"


def _plain(received: SpoolRecord) -> bytes:
    try:
        return undone(received.payload, received.header.encoding, most=LARGEST_BODY)
    except (UnknownEncodingError, BrokenEncodingError, TooMuchError) as error:
        raise MalformedError(f"{received.header.encoding}: {error}") from error


def _json(body: bytes) -> Any:
    try:
        return decode(body)
    except NotJsonError as error:
        raise MalformedError(f"the body {error}") from error
