"""Langfuse's legacy ingestion, POST /api/public/ingestion: `{batch: [{id, timestamp, type, body}]}`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from slmhub.formats.fields import content_id, excerpt_of, instant_of, object_in, text_of
from slmhub.formats.platforms.langfuse_observations import (
    TraceFacts,
    facts_of,
    observation_record,
    scores_of,
    trace_record,
)
from slmhub.formats.records import MalformedError, Record, Reject, SpanKind

NAME = "langfuse_ingestion"
EXPECTED = "batch of events with type and body"

Json = dict[str, Any]

_TRACE, _SCORE, _LOG = "trace-create", "score-create", "sdk-log"
_NOUNS = (
    "span", "generation", "event", "observation", "agent", "tool", "chain", "retriever", "evaluator",
    "embedding", "guardrail",
)  # fmt: skip
_UPDATES = frozenset(f"{noun}-update" for noun in _NOUNS)
_OBSERVATIONS = _UPDATES | {f"{noun}-create" for noun in _NOUNS}
_TYPES = _OBSERVATIONS | {_TRACE, _SCORE, _LOG}


class Event(NamedTuple):
    id: str
    type: str
    at: datetime
    body: Json


def matches(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("batch"), list):
        return False
    events = row["batch"]
    return not events or any(isinstance(event, dict) and "type" in event for event in events)


def records(row: Any) -> Iterator[Record | Reject]:
    """A record or a part for each event, in order; a bad event is rejected alone.

    What a trace of the same batch says of session, user, environment and tags, its observations get too.
    Raises MalformedError when `batch` is no list.
    """
    batch = _batch_of(row)
    read = [_event_or_reason(event, index) for index, event in enumerate(batch)]
    events = [item for item in read if isinstance(item, Event)]
    facts = _facts_of(events)
    # An update says when its first token came, the create when it began.
    starts: dict[str, Any] = {}
    for event in events:
        observation_id = text_of(event.body.get("id"))
        if observation_id and event.type in _OBSERVATIONS and event.body.get("startTime"):
            starts[observation_id] = event.body["startTime"]
    metadata = object_in(row.get("metadata"))
    sdk = text_of(metadata.get("sdk_name") or metadata.get("sdk_integration"))
    version = text_of(metadata.get("sdk_version"))
    emitter = " ".join(text for text in (sdk, version) if text)
    for given, item in zip(batch, read, strict=True):
        if isinstance(item, str):
            yield Reject(0, item, excerpt_of(given))
        elif item.type != _LOG:
            record = _record_of(item, facts, starts)
            record.emitter = record.emitter or emitter
            yield record


def answers(row: Any) -> tuple[list[Json], list[Json]]:
    """Successes and errors for the 207 answer, one entry an event; refused is what `records` rejects.

    Raises MalformedError when `batch` is no list.
    """
    successes: list[Json] = []
    errors: list[Json] = []
    for index, given in enumerate(_batch_of(row)):
        item = _event_or_reason(given, index)
        if isinstance(item, Event):
            successes.append({"id": item.id, "status": HTTPStatus.CREATED.value})
        else:
            told = text_of(object_in(given).get("id")) or f"batch[{index}]"
            status = HTTPStatus.BAD_REQUEST.value
            errors.append({"id": told, "status": status, "message": "Invalid request data", "error": item})
    return successes, errors


def batch_of_scores(body: Any) -> Json:
    """The list (or the one score) that newer SDKs post to /api/public/scores, as a batch for this module.

    Raises MalformedError when it is neither.
    """
    scores = body if isinstance(body, list) else [body]
    if not all(isinstance(score, dict) for score in scores):
        raise MalformedError("the body must be a score or a list of scores")
    return {
        "batch": [
            {
                "id": text_of(score.get("id")) or content_id(score),
                "type": _SCORE,
                "timestamp": score.get("timestamp") or datetime.now(UTC).isoformat(),
                "body": score,
            }
            for score in scores
        ]
    }


def _batch_of(row: Any) -> list[Any]:
    batch = row.get("batch") if isinstance(row, dict) else None
    if not isinstance(batch, list):
        raise MalformedError("the body must be an object with a list `batch`")
    return batch


def _event_or_reason(given: Any, index: int) -> Event | str:
    """The event, or why it is refused."""
    where = f"batch[{index}]: "
    if not isinstance(given, dict):
        return where + "an event must be an object"
    id, kind, body = text_of(given.get("id")), given.get("type"), given.get("body")
    if id is None:
        return where + "the event has no id"
    if not isinstance(kind, str) or kind not in _TYPES:
        return where + f"the type {str(kind)[:50]!r} is unknown"
    at = instant_of(given.get("timestamp"), set())
    if at is None:
        return where + "the event has no usable timestamp"
    if not isinstance(body, dict):
        return where + "the body must be an object"
    if kind in _UPDATES and text_of(body.get("id")) is None:
        return where + f"{kind} has no body.id: it updates nothing"
    if kind == _SCORE and (text_of(body.get("name")) is None or text_of(body.get("traceId")) is None):
        return where + "score-create needs body.name and body.traceId"
    return Event(id, kind, at, body)


def _facts_of(events: list[Event]) -> dict[str, TraceFacts]:
    """By trace id; of several events for one trace the later value of each field."""
    found: dict[str, TraceFacts] = {}
    for event in events:
        if event.type != _TRACE:
            continue
        trace_id = text_of(event.body.get("id")) or event.id
        told = msgspec.structs.asdict(facts_of(event.body))
        held = msgspec.structs.asdict(found.get(trace_id, TraceFacts()))
        found[trace_id] = TraceFacts(**{name: told[name] or held[name] for name in told})
    return found


def _record_of(event: Event, facts: dict[str, TraceFacts], starts: dict[str, Any]) -> Record:
    if event.type == _SCORE:
        return _score_of(event)
    id = text_of(event.body.get("id")) or event.id
    body = {**event.body, "id": id, "startTime": event.body.get("startTime") or starts.get(id)}
    is_trace = event.type == _TRACE
    record = trace_record(body, format=NAME) if is_trace else _observation_of(event, body, facts)
    record.revised_at = event.at
    return record


def _observation_of(event: Event, body: Json, facts: dict[str, TraceFacts]) -> Record:
    noun = event.type.rpartition("-")[0]
    given = text_of(body.get("type")) or ("" if noun == "observation" else noun)
    told = facts.get(text_of(body.get("traceId")) or "", TraceFacts())
    record = observation_record({**body, "type": given}, told, format=NAME)
    record.partial = record.ended_at is None and noun != "event"
    if event.type not in _UPDATES and record.parent_id is None and record.trace_id != record.span_id:
        # The trace is the root in this protocol; an update that says no parent must not change it.
        record.parent_id = record.trace_id
    return record


def _score_of(event: Event) -> Record:
    body = event.body
    trace_id = text_of(body.get("traceId")) or ""
    return Record(
        kind=SpanKind.OTHER,
        name="",
        trace_id=trace_id,
        span_id=text_of(body.get("observationId")) or trace_id,
        format=NAME,
        attributes={"scores": scores_of([body])},
        partial=True,
        revised_at=event.at,
    )
