from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.models import ApiKey
from apps.accounts.rights import Right, Scope
from apps.core.live import render_page
from apps.sources.doctor import NEWEST, diagnoses
from apps.sources.snippets import snippets
from apps.spool.reader import Backlog, backlog
from apps.team.services import create_api_key
from apps.traces.models import Source

# Shown in a snippet until somebody makes a key.
NO_KEY = "hub_YOUR_KEY"
# What waits for less is on its way.
BEHIND_S = 5.0


@requires(Right.VIEW)
@require_safe
def list_(request: MemberRequest) -> HttpResponse:
    parts = {"sources": lambda: _sources(request)}
    return render_page(request, "sources/list.html", parts=parts, rest=lambda: {"tab": "sources"})


def _sources(request: MemberRequest) -> dict[str, Any]:
    found = diagnoses(request.agent)
    to_mend = sorted((one for one in found if one.complaints), key=lambda one: not one.is_grave)
    return {"diagnoses": found, "to_mend": to_mend, "newest": NEWEST, "behind": _behind(request)}


def _behind(request: MemberRequest) -> Backlog | None:
    """The spool is the whole hub's: only who manages hears of it, and only when there is something to do."""
    if not request.membership.rights["manage"]:
        return None
    waits = backlog()
    return waits if waits.oldest_s > BEHIND_S or waits.refused or waits.damaged else None


@requires(Right.VIEW)
@require_safe
def connect(request: MemberRequest) -> HttpResponse:
    return _connect(request, NO_KEY)


@requires(Right.MANAGE)
@require_POST
def make_key(request: MemberRequest) -> HttpResponse:
    """A key for this agent; its secret stands on the answer itself, in every snippet, and nowhere else."""
    key, secret = create_api_key(
        workspace=request.workspace,
        agent=request.agent,
        name=f"Connect {request.agent.name}"[:60],
        scopes=[Scope.INGEST, Scope.INFER],
        actor=request.user,
    )
    response = _connect(request, secret, made=key)
    add_never_cache_headers(response)
    return response


def _connect(request: MemberRequest, secret: str, *, made: ApiKey | None = None) -> HttpResponse:
    def around() -> dict[str, Any]:
        base = request.build_absolute_uri("/").rstrip("/")
        ways = snippets(base=base, agent=request.agent.slug, key=secret)
        return {"tab": "connect", "snippets": ways, "made": made}

    return render_page(
        request, "sources/connect.html", parts={"waiting": lambda: _waiting(request)}, rest=around
    )


def _waiting(request: MemberRequest) -> dict[str, Any]:
    """What has come since this person began to wait; the part hands that moment on."""
    since = _since(request)
    heard = request.agent.emitters.filter(last_at__gte=since).exclude(
        source__in=(Source.UPLOAD, Source.COMMAND)
    )
    return {
        "since": since,
        "heard": list(heard.order_by("-last_at")),
        "wait_url": f"{request.agent.address('sources:connect')}?{urlencode({'since': since.isoformat()})}",
    }


def _since(request: MemberRequest) -> datetime:
    try:
        given = parse_datetime(request.GET.get("since", ""))
    except ValueError:
        given = None
    return given if given is not None and given.tzinfo is not None else timezone.now()
