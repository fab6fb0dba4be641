"""LangSmith runs: `{post, patch}` batches, query results, and single runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from slmhub.formats.fields import (
    as_text,
    excerpt_of,
    first_text,
    instant_of,
    number_of,
    object_in,
    objects_in,
    outcome_of,
    telling,
    text_of,
    texts_of,
    tokens_of,
)
from slmhub.formats.platforms.langchain_answers import first_usage, usage_of
from slmhub.formats.platforms.langsmith_contents import answered_of, asked_of
from slmhub.formats.platforms.spans import MODEL_CALLS, count_usage
from slmhub.formats.providers.names import finish_of, provider_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Record, Reject, SpanKind, Usage

NAME = "langsmith_runs"
EXPECTED = "runs with run_type, or post and patch"

_DEEPEST = 100
_KINDS = {
    "llm": SpanKind.LLM,
    "chain": SpanKind.CHAIN,
    "tool": SpanKind.TOOL,
    "retriever": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
}
_SESSION_KEYS = ("session_id", "thread_id", "conversation_id")
_USER_KEYS = ("user_id", "user", "ls_user_id")
_AGENT_KEYS = ("agent_name", "lc_agent_name", "ls_agent_name", "agent")
_KEPT = (
    "dotted_order",
    "reference_example_id",
    "feedback_stats",
    "attachments",
    "run_type",
    "manifest_id",
    "serialized",
)
_TOLD = frozenset({"usage_metadata", "ls_provider", "ls_model_name", "ls_invocation_params"})


def matches(row: Any) -> bool:
    if isinstance(row, list):
        return bool(row) and _is_run(row[0])
    if not isinstance(row, dict):
        return False
    if isinstance(row.get("runs"), list):
        return bool(row["runs"]) and _is_run(row["runs"][0])
    batch = [row[key] for key in ("post", "patch") if key in row]
    if batch and all(isinstance(runs, list | None) for runs in batch):
        return True
    return _is_run(row)


def _is_run(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("run_type"), str):
        return False
    return any(key in row for key in ("dotted_order", "inputs", "outputs", "start_time", "trace_id"))


def records(row: Any) -> Iterator[Record | Reject]:
    """The runs, children after their parents. A bad run of many is rejected, a single one raises."""
    if isinstance(row, dict) and _is_run(row):
        yield from runs_of(row)
        return
    parts = {"runs": row} if isinstance(row, list) else row
    for part in ("runs", "post", "patch", "feedback"):
        for index, run in enumerate(_listed(parts.get(part))):
            try:
                yield from _feedback(run) if part == "feedback" else runs_of(run, patch=part == "patch")
            except MalformedError as error:
                yield Reject(0, f"{part}[{index}]: {error}", excerpt_of(run))
    for broken in objects_in(parts.get("rejected")):
        yield Reject(0, f"{text_of(broken.get('part'))}: {text_of(broken.get('reason'))}", "")


def _feedback(given: Any) -> Iterator[Record]:
    """A score as a part of the run that it is about. Raises MalformedError."""
    if not isinstance(given, dict):
        raise MalformedError("feedback must be an object")
    run_id, key = text_of(given.get("run_id")), text_of(given.get("key"))
    if run_id is None or key is None:
        raise MalformedError("feedback has no run_id or no key")
    told = {name: given[name] for name in ("score", "value", "comment") if given.get(name) is not None}
    yield Record(
        kind=SpanKind.OTHER,
        name="",
        span_id=run_id,
        trace_id=text_of(given.get("trace_id")) or run_id,
        attributes={"scores": {key: told}},
        format=NAME,
        partial=True,
    )


def runs_of(run: Any, *, patch: bool = False, depth: int = 0) -> Iterator[Record]:
    """A run and the child runs nested in it. Raises MalformedError when it cannot be identified."""
    if not isinstance(run, dict):
        raise MalformedError("a run must be an object")
    yield record_of(run, patch=patch)
    if depth == _DEEPEST:
        return
    for child in objects_in(run.get("child_runs")):
        inherited = {
            "parent_run_id": child.get("parent_run_id") or run.get("id"),
            "trace_id": child.get("trace_id") or run.get("trace_id"),
        }
        yield from runs_of({**child, **inherited}, patch=patch, depth=depth + 1)


def record_of(run: dict[str, Any], *, patch: bool = False) -> Record:
    """One run. Without an end it is a part: the patch that ends it completes it. Raises MalformedError."""
    issues: set[Issue] = set()
    extra = object_in(run.get("extra"))
    metadata = object_in(extra.get("metadata"))
    kind = _KINDS.get(str(run.get("run_type")), SpanKind.OTHER)
    if run.get("run_type") is None and metadata.get("ls_model_type") in ("chat", "llm"):
        # The JS SDK's patches carry no run_type; what LangChain notes of the model tells a model call.
        kind = SpanKind.LLM

    invocation = {
        key.removeprefix("ls_"): metadata[key]
        for key in ("ls_temperature", "ls_max_tokens", "ls_stop")
        if key in metadata
    }
    invocation |= object_in(extra.get("invocation_params")) or object_in(metadata.get("ls_invocation_params"))
    asked = asked_of(kind, run, invocation, issues)
    answered = answered_of(kind, run, issues)
    record = _identified(run, kind, metadata)
    record.messages, record.tools, record.output = asked.messages, asked.tools, answered.output
    record.parameters = asked.parameters if kind is SpanKind.LLM else {}
    record.partial = run.get("end_time") is None
    _add_times(record, run, issues, patch=patch)
    if kind in MODEL_CALLS:
        record.model = answered.model or asked.model or text_of(metadata.get("ls_model_name"))
        record.provider = provider_of(text_of(metadata.get("ls_provider")))
        record.finish_reason = finish_of(answered.finish_reason or answered.finish_reason_given)
        record.user = record.user or asked.user
        record.error = record.error or answered.error
    usage = first_usage([_counts_of(run), answered.usage, usage_of(metadata.get("usage_metadata"))])
    count_usage(record, usage, _cost_of(run, metadata))
    record.attributes.update(_attributes_of(run, metadata, asked, answered))
    if issues:
        record.attributes["issues"] = sorted(issue.value for issue in issues)
    return record


def _identified(run: dict[str, Any], kind: SpanKind, metadata: dict[str, Any]) -> Record:
    path = _path_of(run)
    span_id = text_of(run.get("id")) or (path[-1] if path else None)
    if span_id is None:
        raise MalformedError("the run has no id")
    error = run.get("error")
    if isinstance(error, dict):
        error = text_of(error.get("message")) or as_text(error)
    elif not isinstance(error, str) or not error:
        error = "error" if run.get("status") == "error" else None
    runtime = object_in(object_in(run.get("extra")).get("runtime"))
    return Record(
        kind=kind,
        name=text_of(run.get("name")) or "",
        span_id=span_id,
        trace_id=text_of(run.get("trace_id")) or (path[0] if path else span_id),
        parent_id=text_of(run.get("parent_run_id")) or (path[-2] if len(path) > 1 else None),
        session=first_text((metadata,), _SESSION_KEYS),
        user=first_text((metadata,), _USER_KEYS),
        agent=first_text((metadata,), _AGENT_KEYS),
        environment=first_text((metadata, run), ("environment", "env")),
        tags=texts_of(run.get("tags")),
        error=error,
        emitter=" ".join(texts_of([runtime.get("sdk"), runtime.get("sdk_version")])),
        format=NAME,
    )


def _path_of(run: dict[str, Any]) -> list[str]:
    """The ids from the root to the run itself, out of `<start>Z<id>.<start>Z<id>`."""
    order = run.get("dotted_order")
    steps = order.split(".") if isinstance(order, str) else []
    return texts_of([step.partition("Z")[2] for step in steps])


def _add_times(record: Record, run: dict[str, Any], issues: set[Issue], *, patch: bool) -> None:
    record.started_at = instant_of(run.get("start_time"), issues)
    record.ended_at = instant_of(run.get("end_time"), issues)
    if record.started_at and record.ended_at:
        record.latency_ms = max(0.0, (record.ended_at - record.started_at).total_seconds() * 1000)
    first_token = instant_of(run.get("first_token_time"), issues)
    if first_token is None:
        tokens = (event for event in objects_in(run.get("events")) if event.get("name") == "new_token")
        first_token = instant_of(next(tokens, {}).get("time"), issues)
    started = record.started_at or _start_in_order(run, issues)
    if first_token and started:
        record.ttft_ms = max(0.0, (first_token - started).total_seconds() * 1000)
    record.revised_at = record.ended_at or record.started_at if patch else record.started_at


def _start_in_order(run: dict[str, Any], issues: set[Issue]) -> datetime | None:
    """A patch may not repeat its start; its place in the order begins with it."""
    order = run.get("dotted_order")
    given = order.rpartition(".")[2].partition("Z")[0] if isinstance(order, str) else ""
    if len(given) != len("20260101T000000000000") or not given.replace("T", "").isdigit():
        return None
    return instant_of(f"{given[:15]}.{given[15:]}", issues)


def _add_model(record: Record, metadata: dict[str, Any], asked: Asked, answered: Answered) -> None:
    if record.kind not in MODEL_CALLS:
        return
    record.model = answered.model or asked.model or text_of(metadata.get("ls_model_name"))
    record.provider = provider_of(text_of(metadata.get("ls_provider")) or "")
    given = answered.finish_reason or answered.finish_reason_given
    record.finish_reason = finish_of(given) if given else None
    record.user = record.user or asked.user
    record.error = record.error or answered.error


def _counts_of(run: dict[str, Any]) -> Usage:
    """What the platform counted, in its exports."""
    if not run.get("total_tokens"):
        return Usage()
    prompt = object_in(run.get("prompt_token_details"))
    completion = object_in(run.get("completion_token_details"))
    return Usage(
        input=tokens_of(run.get("prompt_tokens")),
        output=tokens_of(run.get("completion_tokens")),
        cached_input=tokens_of(prompt.get("cache_read")),
        cache_write=tokens_of(prompt.get("cache_creation")),
        reasoning=tokens_of(completion.get("reasoning")),
    )


def _cost_of(run: dict[str, Any], metadata: dict[str, Any]) -> float | None:
    noted = object_in(metadata.get("usage_metadata"))
    usage = object_in(object_in(run.get("outputs")).get("usage_metadata")) or noted
    whole = number_of(run.get("total_cost")) or number_of(usage.get("total_cost"))
    if whole:
        return whole
    parts = [number_of(run.get(key)) for key in ("prompt_cost", "completion_cost")]
    return sum(part for part in parts if part) or None


def _attributes_of(
    run: dict[str, Any], metadata: dict[str, Any], asked: Asked, answered: Answered
) -> dict[str, Any]:
    given = _listed(run.get("events"))
    # Of the tokens of a stream only the first tells something, and that is the time to it.
    events = [event for event in given if object_in(event).get("name") != "new_token"]
    attributes = {
        **{key: run.get(key) for key in _KEPT},
        "runtime": object_in(object_in(run.get("extra")).get("runtime")),
        **answered.attributes,
        "project": text_of(run.get("session_name")),
        "metadata": {key: value for key, value in metadata.items() if key not in _TOLD},
        "response_id": answered.response_id,
        "streamed": asked.streamed or len(events) < len(given),
        "outcome": outcome_of(metadata),
        "events": events,
    }
    finish = answered.finish_reason_given
    if finish and finish != finish_of(finish):
        attributes["finish_reason_given"] = finish
    return telling(attributes)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
