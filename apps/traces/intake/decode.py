"""Acknowledged bodies as records: each by the way it came in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from apps.traces.intake.compression import BrokenEncodingError, TooMuchError, UnknownEncodingError, undone
from apps.traces.intake.spool import Note, Way
from slmhub.formats import MalformedError, Record, Reject, parse_rows
from slmhub.formats.otlp import read, wire
from slmhub.formats.platforms.langfuse_ingestion import batch_of_scores
from slmhub.formats.platforms.langsmith_multipart import batch_of

LARGEST_BODY = 64 * 1024**2
_LISTS = ("batch", "post", "patch")

Item = TypeVar("Item")
JSON = "application/json"


def records_of(notes: Sequence[Note]) -> Iterator[Record | Reject]:
    """The records of all bodies; spans of one export after the other are read as one, so that trees meet.

    Raises MalformedError when a body is not what its check before the acknowledgement said.
    """
    traces, logs, rest = _sorted(notes)
    if traces:
        yield from _of_spans(traces)
    if logs:
        yield from _of_logs(logs)
    for note in rest:
        yield from _of_rows(note)


def _sorted(notes: Sequence[Note]) -> tuple[list[Note], list[Note], list[Note]]:
    kinds: dict[Way, list[Note]] = {way: [] for way in Way}
    rest = []
    for note in notes:
        if note.header.way in (Way.OTLP_TRACES, Way.OTLP_LOGS):
            kinds[note.header.way].append(note)
        else:
            rest.append(note)
    return kinds[Way.OTLP_TRACES], kinds[Way.OTLP_LOGS], rest


def is_json(content_type: str) -> bool:
    return content_type.lower().startswith(JSON)


def _of_spans(notes: Iterable[Note]) -> Iterator[Record | Reject]:
    found = [span for note in notes for span in _exported(note, wire.spans_of_json, wire.spans_of_protobuf)]
    yield from (span for span in found if isinstance(span, Reject))
    yield from read.records_of_spans(span for span in found if not isinstance(span, Reject))


def _of_logs(notes: Iterable[Note]) -> Iterator[Record | Reject]:
    found = [log for note in notes for log in _exported(note, wire.logs_of_json, wire.logs_of_protobuf)]
    yield from (log for log in found if isinstance(log, Reject))
    yield from read.records_of_logs(log for log in found if not isinstance(log, Reject))


def _exported(
    note: Note, of_json: Callable[[Any], list[Item]], of_protobuf: Callable[[bytes], list[Item]]
) -> list[Item]:
    body = _plain(note)
    if not is_json(note.header.content_type):
        return of_protobuf(body)
    return of_json(_json(body))


def _of_rows(note: Note) -> Iterator[Record | Reject]:
    row, format = _row_of(note)
    try:
        found: list[Record | Reject] = parse_rows(row, format)
    except MalformedError:
        singles = list(_singles(row))
        if not singles:
            raise
        found = [item for single in singles for item in _parsed(single, format)]
    yield from found


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


def _row_of(note: Note) -> tuple[Any, str]:
    """The body as a row of a format of `slmhub.formats`."""
    header = note.header
    if header.way is Way.LANGSMITH_MULTIPART:
        return batch_of(_plain(note), header.content_type), "langsmith_runs"
    document = _json(_plain(note))
    match header.way:
        case Way.LANGFUSE:
            return document, "langfuse_ingestion"
        case Way.LANGFUSE_SCORES:
            return batch_of_scores(document), "langfuse_ingestion"
        case Way.LANGSMITH_BATCH:
            return document, "langsmith_runs"
        case Way.LANGSMITH_CREATE:
            return {"post": [document]}, "langsmith_runs"
        case Way.LANGSMITH_UPDATE:
            return {"patch": [{**document, "id": header.subject}]}, "langsmith_runs"
    return document, "auto"


def _plain(note: Note) -> bytes:
    try:
        return undone(note.payload, note.header.encoding, most=LARGEST_BODY)
    except (UnknownEncodingError, BrokenEncodingError, TooMuchError) as error:
        raise MalformedError(f"{note.header.encoding}: {error}") from error


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"the body is not JSON: {error.msg} at character {error.pos}") from error
