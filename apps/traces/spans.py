"""The narrow row of a call: what lists and charts need, and where its messages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from apps.accounts.models import Agent
from apps.traces.models import Session, Source, Span, Status
from apps.traces.staging import Staged, counted, fitted, is_simulated, started_at
from slmhub.formats import signature

PREVIEW = 200


class Known(NamedTuple):
    """A stored content: its id and the beginning of its redacted text."""

    pk: int
    preview: str


@dataclass(frozen=True)
class Place:
    agent: Agent
    source: Source
    session: Session | None


def preview_of(text: str) -> str:
    return " ".join(text[: 2 * PREVIEW].split())[:PREVIEW]


def span_of(item: Staged, place: Place, known: Mapping[bytes, Known]) -> Span:
    """An unsaved span; ids and details of `item` are redacted already."""
    record, details = item.record, item.details
    trace_id, span_id = item.key
    output = known[item.output] if item.output else None
    return Span(
        workspace=place.agent.workspace,
        agent=place.agent,
        session=place.session,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=fitted(item.ids[2], 100),
        kind=record.kind.value,
        source=place.source,
        name=details["name"][:200],
        started_at=started_at(record),
        latency_ms=record.latency_ms,
        ttft_ms=record.ttft_ms,
        provider=details["provider"][:60],
        model=details["model"][:120],
        served_by=str(details["attributes"].get("served_by", ""))[:120],
        simulated=is_simulated(record),
        status=Status.ERROR if record.error else Status.OK,
        error=details["error"][:500],
        finish_reason=details["finish_reason"][:30],
        audience=signature.audience_of(record).value,
        action=fitted(details["action"], 200),
        previous=fitted(details["previous"], 120),
        routing_key=signature.routing_signature(record.messages, record.tools),
        input_tokens=counted(record.usage.input),
        output_tokens=counted(record.usage.output),
        cached_tokens=counted(record.usage.cached_input),
        cost=record.cost,
        tools_id=known[item.tools].pk if item.tools else None,
        output_id=output.pk if output else None,
        message_ids=[known[digest].pk for digest in item.messages],
        parameters=details["parameters"],
        attributes=details["attributes"],
        input_preview=known[item.messages[-1]].preview if item.messages else "",
        output_preview=output.preview if output else "",
    )
