"""Reads: the messages of calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.contents.models import Content
from apps.contents.services import chunks
from apps.traces.models import Span


@dataclass(frozen=True)
class CallContent:
    """A call's redacted OpenAI shapes. Bodies are shared between calls: read, do not change."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    output: dict[str, Any] | None


def messages_of(span: Span) -> list[dict[str, Any]]:
    return messages_of_many([span])[span.pk].messages


def messages_of_many(spans: Iterable[Span]) -> dict[int, CallContent]:
    """Contents by span id; one query per 500 distinct messages."""
    wanted = list(spans)
    bodies = bodies_of({pk for span in wanted for pk in content_ids(span)})
    return {
        span.pk: CallContent(
            messages=[bodies[pk] for pk in span.message_ids if pk in bodies],
            tools=bodies.get(span.tools_id or 0) or [],
            output=bodies.get(span.output_id or 0),
        )
        for span in wanted
    }


def content_ids(span: Span) -> list[int]:
    return [*span.message_ids, *(pk for pk in (span.tools_id, span.output_id) if pk is not None)]


def bodies_of(ids: Iterable[int]) -> dict[int, Any]:
    return {
        pk: body
        for chunk in chunks(sorted(set(ids)))
        for pk, body in Content.objects.filter(pk__in=chunk).values_list("pk", "body")
    }
