"""The calls that a dataset may learn from, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import models

from apps.datasets.columns import Parameters
from apps.discovery.models import Task
from apps.discovery.selectors import calls_of
from apps.traces.models import Outcome, Span, Status
from apps.traces.selectors import CallContent, messages_of_many
from slmhub.formats import signature
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.tool_calls import tool_calls_of

CHUNK = 300
PROMPT_ROLES = frozenset({"system", "developer"})
CUT_OFF = frozenset({"length", "max_tokens", "content_filter"})


class Reason(models.TextChoices):
    """Why a call is not in the dataset."""

    FAILED_SESSION = "failed_session", "Its session failed: the teacher's answers may be wrong"
    ERROR = "error", "The call itself failed"
    NOT_THE_TEACHER = "not_the_teacher", "A specialist answered it, not the teacher"
    HARNESS = "harness_injected", "Written by a test harness in the assistant's name"
    EMPTY = "empty_answer", "The answer is empty"
    CUT_OFF = "cut_off", "The answer was cut off"
    NOT_JSON = "arguments_not_json", "Tool arguments that are not JSON"
    OTHER_TOOLS = "other_tools", "Offered other tools than most calls of the task"
    TOO_LONG = "too_long", "Too long for the model to read"
    DUPLICATE = "duplicate", "The same prompt and answer are in it already"
    CONFLICT = "conflicting_answer", "The same prompt was mostly answered otherwise"
    OVER_CAP = "over_cap", "More than the dataset takes"


@dataclass(frozen=True)
class Candidate:
    """One usable call. `template` tells standing prompts and tool sets apart."""

    span: int
    session: str
    template: tuple[tuple[int, ...], int | None]
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    output: dict[str, Any]


def collect(task: Task, parameters: Parameters, left_out: Counter[str]) -> list[Candidate]:
    """Usable calls in order of time; the newest when there are more than `most_calls`."""
    calls = calls_of(task).select_related("session").order_by("-started_at", "-pk")
    total = calls.count()
    if total > parameters.most_calls:
        left_out[Reason.OVER_CAP] += total - parameters.most_calls
    rows = iter(calls[: parameters.most_calls].iterator(chunk_size=CHUNK))
    found: list[Candidate] = []
    while chunk := list(islice(rows, CHUNK)):
        found.extend(_usable(chunk, left_out))
    return found[::-1]


def _usable(spans: list[Span], left_out: Counter[str]) -> Iterator[Candidate]:
    kept = []
    for span in spans:
        reason = _row_reason(span)
        if reason:
            left_out[reason] += 1
        else:
            kept.append(span)
    for span, content in zip(kept, messages_of_many(kept).values(), strict=True):
        reason = _answer_reason(content.output or {})
        if reason:
            left_out[reason] += 1
        else:
            yield _candidate(span, content)


def _row_reason(span: Span) -> Reason | None:
    metadata = span.attributes.get("metadata") or {}
    if span.status == Status.ERROR:
        return Reason.ERROR
    if span.session and span.session.outcome == Outcome.FAILURE:
        return Reason.FAILED_SESSION
    if span.served_by not in ("", "teacher"):
        return Reason.NOT_THE_TEACHER
    if metadata.get("harness_injected"):
        return Reason.HARNESS
    return Reason.CUT_OFF if span.finish_reason in CUT_OFF else None


def _answer_reason(output: dict[str, Any]) -> Reason | None:
    calls = tool_calls_of(output)
    if not calls and not signature.text_of(output.get("content")).strip():
        return Reason.EMPTY
    return None if all(_is_object(call.arguments or "{}") for call in calls) else Reason.NOT_JSON


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(decode(arguments), dict)
    except NotJsonError:
        return False


def _candidate(span: Span, content: CallContent) -> Candidate:
    roles = [message.get("role") for message in content.messages]
    prompts = tuple(pk for pk, role in zip(span.message_ids, roles, strict=False) if role in PROMPT_ROLES)
    return Candidate(
        span=span.pk,
        session=span.session.external_id if span.session else f"trace:{span.trace_id}",
        template=(prompts, span.tools_id),
        messages=content.messages,
        tools=content.tools,
        output=content.output or {},
    )
