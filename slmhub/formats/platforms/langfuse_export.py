"""Exports of Langfuse: a trace with its observations, or observations and traces one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.fields import excerpt_of, telling
from slmhub.formats.merge import demote_wrappers
from slmhub.formats.platforms.langfuse_observations import (
    TraceFacts,
    facts_of,
    observation_record,
    trace_record,
)
from slmhub.formats.records import MalformedError, Record, Reject

NAME = "langfuse_export"
EXPECTED = "trace and observations"

_OBSERVATION_KEYS = frozenset(
    {"parentObservationId", "usageDetails", "costDetails", "modelParameters", "statusMessage", "level"}
)
_LANGFUSE_KEYS = frozenset({"release", "public", "bookmarked", "projectId", "observations"})
_TRACE_KEYS = frozenset({"sessionId", "userId", *_LANGFUSE_KEYS})
_OTHERS_KEYS = frozenset({"traceId", "request", "messages", "conversations"})
# The columns of the scheduled export to blob storage are in snake case.
_SNAKE_OBSERVATION = frozenset({"id", "trace_id", "start_time", "parent_observation_id"})
_SNAKE_TRACE = frozenset({"id", "timestamp", "session_id", "user_id", "bookmarked"})


def matches(row: Any) -> bool:
    if isinstance(row, list):
        return bool(row) and matches(row[0]) and not isinstance(row[0], list)
    if not isinstance(row, dict):
        return False
    if isinstance(row.get("observations"), list) and (isinstance(row.get("trace"), dict) or "id" in row):
        return True
    if isinstance(row.get("data"), list) and isinstance(row.get("meta"), dict):
        return bool(row["data"]) and matches(row["data"][0])
    return _is_observation(row) or _is_trace(row) or _is_snake(row)


def records(row: Any) -> Iterator[Record | Reject]:
    """Observations with what their trace says of them. A bad one of many is rejected, a single one raises."""
    if isinstance(row, list):
        yield from _of_list(row)
    elif isinstance(row.get("data"), list) and isinstance(row.get("meta"), dict):
        yield from _of_list(row["data"])
    elif isinstance(row.get("observations"), list):
        trace = row.get("trace")
        yield from _of_trace(trace if isinstance(trace, dict) else row, row["observations"])
    elif _is_snake(row):
        renamed = {"model": row.get("provided_model_name")}
        for key, value in row.items():
            if key != "provided_model_name":
                first, *rest = key.split("_")
                renamed[first + "".join(word.capitalize() for word in rest)] = value
        yield from records(renamed)
    elif _is_observation(row):
        yield observation_record(row, TraceFacts(), format=NAME)
    else:
        yield trace_record(row, format=NAME)


def _is_observation(row: dict[str, Any]) -> bool:
    return "traceId" in row and "id" in row and "startTime" in row and bool(_OBSERVATION_KEYS & row.keys())


def _is_trace(row: dict[str, Any]) -> bool:
    if "id" not in row or "timestamp" not in row or _OTHERS_KEYS & row.keys():
        return False
    return len(_TRACE_KEYS & row.keys()) > 1 and bool(_LANGFUSE_KEYS & row.keys())


def _is_snake(row: dict[str, Any]) -> bool:
    return row.keys() >= _SNAKE_OBSERVATION or row.keys() >= _SNAKE_TRACE


def _of_list(rows: list[Any]) -> Iterator[Record | Reject]:
    found: list[Record | Reject] = []
    for index, row in enumerate(rows):
        try:
            if not isinstance(row, dict) or not matches(row):
                raise MalformedError("is no observation and no trace of Langfuse")
            found += records(row)
        except MalformedError as error:
            found.append(Reject(0, f"[{index}]: {error}", excerpt_of(row)))
    yield from _demoted(found)


def _of_trace(trace: dict[str, Any], observations: list[Any]) -> Iterator[Record | Reject]:
    facts = facts_of(trace)
    found: list[Record | Reject] = []
    for index, body in enumerate(observations):
        try:
            if not isinstance(body, dict):
                raise MalformedError("is no object")
            found.append(observation_record({"traceId": trace.get("id"), **body}, facts, format=NAME))
        except MalformedError as error:
            found.append(Reject(0, f"observations[{index}]: {error}", excerpt_of(body)))
    yield from _demoted([*_root_of(trace, found), *found])


def _root_of(trace: dict[str, Any], found: list[Record | Reject]) -> list[Record | Reject]:
    """The trace as the span above several roots; a single root is the trace itself and takes what it says."""
    spans = [item for item in found if isinstance(item, Record)]
    known = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in known]
    try:
        whole = trace_record(trace, format=NAME)
    except MalformedError as error:
        return [Reject(0, f"trace: {error}", excerpt_of(trace))]
    if len(roots) != 1:
        for root in roots:
            root.parent_id = root.parent_id or whole.span_id
        return [whole]
    roots[0].attributes.update(
        telling({"scores": whole.attributes.get("scores"), "release": whole.attributes.get("release")})
    )
    return []


def _demoted(found: list[Record | Reject]) -> list[Record | Reject]:
    demote_wrappers([item for item in found if isinstance(item, Record)])
    return found
