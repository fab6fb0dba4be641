from __future__ import annotations

from typing import Any

from django.db.models import Sum
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.traces import listing
from apps.traces.models import Session, Span
from apps.traces.selectors import messages_of_many
from apps.traces.thread import neighbours, pretty, thread_of
from apps.traces.tree import trace_of

MOST_CALLS_OF_A_SESSION = 500
LONGEST_JSON = 200_000


@requires(Right.VIEW)
@require_safe
def list_(request: MemberRequest) -> HttpResponse:
    found = listing.search(request.agent, request.GET)

    def calls() -> dict[str, Any]:
        page = paginate(found.spans, by="started_at", cursor=request.GET.get("cursor", ""), size=50)
        return {
            "filters": found.filters,
            "page": page,
            "rows": listing.rows_of(request.agent, page.rows, found),
            "search": found,
            "figures": listing.figures(found.spans),
        }

    return render_page(request, "traces/list.html", parts={"calls": calls})


@requires(Right.VIEW)
@require_safe
def call(request: MemberRequest, pk: int) -> HttpResponse:
    spans = request.agent.spans.select_related("session", "tools", "details", "emitter").defer(
        "tools__original", "tools__text", "details__original", "details__text"
    )
    span = get_object_or_404(spans, pk=pk)
    if request.GET.get("format") == "json":
        return _as_json(span)
    thread, content = thread_of(span, full=request.GET.get("full") == "1")
    copied = pretty(exported(span, content))
    context = {
        "span": span,
        "thread": thread,
        "tools": content.tools,
        "tools_json": pretty(content.tools)[:LONGEST_JSON],
        "near": neighbours(span),
        "parameters": pretty(span.parameters) if span.parameters else "",
        "attributes": _attributes(span),
        "issues": span.issues,
        "has_trace": Span.objects.of_trace(request.agent, span.trace_id).exclude(pk=span.pk).exists(),
        "json": copied if len(copied) <= LONGEST_JSON else "",
    }
    return render(request, "traces/call.html", context)


def _attributes(span: Span) -> str:
    """What no field took, the long ones included."""
    whole = {**span.attributes, **(span.details.body if span.details else {})}
    return pretty(whole)[:LONGEST_JSON] if whole else ""


@requires(Right.VIEW)
@require_safe
def trace(request: MemberRequest, pk: int) -> HttpResponse:
    """The trace that a span belongs to, as a tree."""
    span = get_object_or_404(request.agent.spans.only("agent", "trace_id"), pk=pk)
    return render_page(
        request,
        "traces/trace.html",
        parts={"trace": lambda: {"trace": trace_of(request.agent, span.trace_id)}},
        rest=lambda: {"span": span},
    )


def _as_json(span: Span) -> HttpResponse:
    return JsonResponse(exported(span, messages_of_many([span])[span.pk]), json_dumps_params={"indent": 2})


def exported(span: Span, content: Any) -> dict[str, Any]:
    """A call as a chat-log line, redacted; what this page copies can be uploaded again."""
    usage = {"prompt_tokens": span.input_tokens, "completion_tokens": span.output_tokens}
    return {
        "id": span.span_id,
        "trace_id": span.trace_id,
        "session_id": span.session.external_id if span.session else None,
        "timestamp": span.started_at.isoformat(),
        "request": {
            "model": span.model,
            **span.parameters,
            "messages": content.messages,
            **({"tools": content.tools} if content.tools else {}),
        },
        "response": {
            "model": span.model,
            "choices": [{"message": content.output, "finish_reason": span.finish_reason}]
            if content.output
            else [],
            "usage": usage,
        },
        **({"error": span.error} if span.error else {}),
        "metadata": span.attributes.get("metadata", {}),
    }


@requires(Right.VIEW)
@require_safe
def session(request: MemberRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(request.agent.sessions, pk=pk)
    return render_page(request, "traces/session.html", parts={"session": lambda: _session(request, found)})


def _session(request: MemberRequest, session: Session) -> dict[str, Any]:
    spans = Span.objects.calls().filter(session=session).order_by("started_at", "pk")
    shown = list(spans.defer("parameters", "attributes")[: MOST_CALLS_OF_A_SESSION + 1])
    return {
        "session": session,
        "rows": listing.rows_of(request.agent, shown[:MOST_CALLS_OF_A_SESSION]),
        "is_cut": len(shown) > MOST_CALLS_OF_A_SESSION,
        "sums": spans.aggregate(asked=Sum("input_tokens"), answered=Sum("output_tokens"), cost=Sum("cost")),
    }
