"""Observations and traces of Langfuse as records, whether they were ingested or exported."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from slmhub.formats.fields import (
    EMPTY,
    as_text,
    first_text,
    instant_of,
    number_of,
    object_in,
    objects_in,
    outcome_of,
    telling,
    text_of,
    texts_of,
)
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.platforms.langfuse_contents import (
    answered_of,
    asked_of,
    decoded,
    is_tool_result,
    tool_name,
)
from slmhub.formats.platforms.langfuse_usage import cost_of, usage_of
from slmhub.formats.platforms.spans import MODEL_CALLS, count_usage
from slmhub.formats.providers.names import provider_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Record, SpanKind

Json = dict[str, Any]

_KINDS = {
    "GENERATION": SpanKind.LLM,
    "EMBEDDING": SpanKind.EMBEDDING,
    "AGENT": SpanKind.AGENT,
    "TOOL": SpanKind.TOOL,
    "CHAIN": SpanKind.CHAIN,
    "RETRIEVER": SpanKind.RETRIEVER,
    "SPAN": SpanKind.CHAIN,
    "EVENT": SpanKind.OTHER,
}
_OPERATIONS = {
    "execute_tool": SpanKind.TOOL,
    "invoke_agent": SpanKind.AGENT,
    "create_agent": SpanKind.AGENT,
    "TOOL": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
    "RETRIEVER": SpanKind.RETRIEVER,
}
# Vercel's outer spans come as generations and report the sum of the calls inside them. No set, for an
# attribute may hold a list, which no set can be asked for.
_WRAPPERS = ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject")
_OPERATION_KEYS = ("gen_ai.operation.name", "openinference.span.kind")
_SESSION_KEYS = ("langfuse.session.id", "session.id", "gen_ai.conversation.id")
_USER_KEYS = ("langfuse.user.id", "user.id")
_THREAD_KEYS = ("session_id", "thread_id", "conversation_id")
_AGENT_KEYS = ("gen_ai.agent.name", "agent_name", "agent.name")
_PROVIDER_KEYS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
_COST_KEYS = ("costDetails", "providedCostDetails", "totalCost", "calculatedTotalCost", "usage")
_KEPT = ("level", "version", "release", "promptId", "promptName", "promptVersion", "public", "bookmarked")
_NO_METADATA = frozenset({"attributes", "resourceAttributes", "scope", "tools"})
# Content and counts that were read from the observation itself.
_SAID = ("llm.input_messages.", "llm.output_messages.", "llm.token_count.", "gen_ai.usage.", "ai.usage.")
_SAID_WHOLE = {"input.value", "output.value", "events", "all_messages_events", "final_result"} | {
    "ai.prompt.tools",
    "gen_ai.tool.definitions",
    "gen_ai.system_instructions",
    "llm.invocation_parameters",
}
_NO_ENVIRONMENT = "default"


class TraceFacts(msgspec.Struct, kw_only=True):
    """What a trace of Langfuse says of all its observations."""

    session: str | None = None
    user: str | None = None
    environment: str | None = None
    tags: list[str] = msgspec.field(default_factory=list)


def facts_of(trace: Json) -> TraceFacts:
    environment = text_of(trace.get("environment"))
    return TraceFacts(
        session=text_of(trace.get("sessionId")),
        user=text_of(trace.get("userId")),
        environment=None if environment == _NO_ENVIRONMENT else environment,
        tags=texts_of(decoded(trace.get("tags"))),
    )


def observation_record(body: Json, facts: TraceFacts, *, format: str) -> Record:
    """One observation; `body` may lack all but its id. Raises MalformedError without one."""
    issues: set[Issue] = set()
    metadata = decoded(body.get("metadata"))
    hints = object_in(decoded(object_in(metadata).get("attributes")))
    kind = _kind_of(body, hints)
    asked = asked_of(kind, body, hints, issues)
    answered = answered_of(kind, body, hints, issues)
    record = _identified(body, facts, object_in(metadata), format=format)
    record.kind = kind
    record.name = tool_name(body, hints) if kind is SpanKind.TOOL else as_text(body.get("name") or "")[:256]
    record.messages, record.output = asked.messages, answered.output
    record.attributes = _attributes_of(body, metadata, hints)
    _add_model(record, body, hints, asked, answered)
    _add_times(record, body, issues)
    usage = usage_of(decoded(body.get("usageDetails")) or body.get("usage"))
    count_usage(record, usage, cost_of({key: decoded(body[key]) for key in _COST_KEYS if key in body}))
    return _with_issues(record, issues)


def trace_record(body: Json, *, format: str) -> Record:
    """The trace itself as a span of its own, above the observations that have no parent."""
    issues: set[Issue] = set()
    record = _identified({**body, "traceId": body.get("id")}, facts_of(body), {}, format=format)
    record.kind, record.name = SpanKind.CHAIN, as_text(body.get("name") or "")[:256]
    given, answer = decoded(body.get("input")), decoded(body.get("output"))
    record.messages = asked_from(given, issues).messages if given not in EMPTY else []
    record.output = answered_from(answer, issues).output if answer not in EMPTY else None
    metadata = decoded(body.get("metadata"))
    record.attributes = _attributes_of(body, metadata, object_in(object_in(metadata).get("attributes")))
    record.started_at = instant_of(body.get("timestamp"), issues)
    latency = number_of(body.get("latency"))
    record.latency_ms = latency * 1000 if latency is not None else None
    return _with_issues(record, issues)


def scores_of(given: Any) -> Json:
    """Scores by name, each with its value and what was said about it."""
    scores = {}
    for score in objects_in(given):
        name = text_of(score.get("name"))
        if name:
            about = {key: score.get(key) for key in ("stringValue", "dataType", "source", "comment", "id")}
            scores[name] = {**telling(about), "value": score.get("value")}
    return scores


def _kind_of(body: Json, hints: Json) -> SpanKind:
    kind = _KINDS.get(str(body.get("type")).upper(), SpanKind.OTHER)
    if kind is SpanKind.LLM and hints.get("ai.operationId") in _WRAPPERS:
        return SpanKind.CHAIN
    if kind is not SpanKind.CHAIN:
        return kind
    if is_tool_result(body):
        return SpanKind.TOOL
    return _OPERATIONS.get(first_text([hints], _OPERATION_KEYS) or "", kind)


def _identified(body: Json, facts: TraceFacts, metadata: Json, *, format: str) -> Record:
    span_id = text_of(body.get("id"))
    if span_id is None:
        raise MalformedError("the observation has no id")
    hints = object_in(decoded(metadata.get("attributes")))
    own = facts_of(body)
    trace_tags = texts_of(decoded(body.get("traceTags")))
    session = own.session or first_text([hints], _SESSION_KEYS) or facts.session
    return Record(
        kind=SpanKind.OTHER,
        name="",
        span_id=span_id,
        trace_id=text_of(body.get("traceId")) or span_id,
        parent_id=text_of(body.get("parentObservationId")),
        session=session or first_text([metadata], _THREAD_KEYS),
        user=own.user or first_text([hints], _USER_KEYS) or facts.user,
        agent=first_text([hints, metadata], _AGENT_KEYS),
        environment=own.environment or facts.environment,
        tags=list(dict.fromkeys([*own.tags, *trace_tags, *facts.tags])),
        error=as_text(body.get("statusMessage") or "error")[:2000] if body.get("level") == "ERROR" else None,
        emitter=_emitter_of(metadata),
        format=format,
    )


def _emitter_of(metadata: Json) -> str:
    """The instrumentation's name and version, else those of the SDK."""
    scope = object_in(decoded(metadata.get("scope")))
    resource = object_in(decoded(metadata.get("resourceAttributes")))
    for place, keys in (
        (scope, ("name", "version")),
        (resource, ("telemetry.sdk.name", "telemetry.sdk.version")),
    ):
        told = texts_of([place.get(key) for key in keys])
        if told:
            return " ".join(told)
    return ""


def _add_model(record: Record, body: Json, hints: Json, asked: Asked, answered: Answered) -> None:
    if record.kind not in MODEL_CALLS:
        return
    said = first_text([hints], ("gen_ai.response.model", "ai.response.model"))
    record.model = answered.model or said or text_of(body.get("model")) or asked.model
    metadata = object_in(decoded(body.get("metadata")))
    record.provider = provider_of(
        first_text([hints], _PROVIDER_KEYS) or first_text([metadata], ("ls_provider",))
    )
    record.tools, record.parameters = asked.tools, asked.parameters
    record.user = record.user or asked.user
    record.finish_reason = answered.finish_reason
    record.error = record.error or answered.error
    id = answered.response_id or first_text([hints], ("gen_ai.response.id", "ai.response.id"))
    about = {
        "response_id": id,
        "streamed": asked.streamed or bool(body.get("completionStartTime")),
        "finish_reason_given": answered.finish_reason_given,
    }
    record.attributes.update(telling({**answered.attributes, **about}))


def _add_times(record: Record, body: Json, issues: set[Issue]) -> None:
    record.started_at = instant_of(body.get("startTime"), issues)
    record.ended_at = instant_of(body.get("endTime"), issues)
    if record.started_at and record.ended_at:
        record.latency_ms = max(0.0, _milliseconds(record.started_at, record.ended_at))
    elif (latency := number_of(body.get("latency"))) is not None:
        record.latency_ms = latency * 1000
    first = instant_of(body.get("completionStartTime"), issues)
    waited = number_of(body.get("timeToFirstToken"))
    if first and record.started_at:
        record.ttft_ms = max(0.0, _milliseconds(record.started_at, first))
    elif waited is not None:
        record.ttft_ms = waited * 1000
    elif first:
        record.attributes["completion_start_time"] = first.isoformat()


def _milliseconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000


def _attributes_of(body: Json, metadata: Any, hints: Json) -> Json:
    given = object_in(metadata)
    resource = object_in(decoded(given.get("resourceAttributes")))
    raw = {key: value for key, value in hints.items() if key not in _SAID_WHOLE and not key.startswith(_SAID)}
    kind = text_of(body.get("type"))
    is_told_by_kind = kind is None or _KINDS.get(kind.upper(), SpanKind.OTHER) is not SpanKind.OTHER
    level, message = body.get("level"), text_of(body.get("statusMessage"))
    attributes = {key: body.get(key) for key in _KEPT} | {
        "observation_type": None if is_told_by_kind else kind,
        "level": None if level == "DEFAULT" else level,
        "status_message": None if level == "ERROR" else message,
        "metadata": {k: v for k, v in given.items() if k not in _NO_METADATA} if given else metadata,
        "resource": {key: value for key, value in resource.items() if key.startswith("service.")},
        "outcome": outcome_of(given),
        "scores": scores_of(decoded(body.get("scores"))),
    }
    return raw | telling(attributes)


def _with_issues(record: Record, issues: set[Issue]) -> Record:
    if issues:
        record.attributes["issues"] = sorted(issue.value for issue in issues)
    return record
