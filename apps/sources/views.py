from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right, Scope
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
    found = diagnoses(request.agent)
    to_mend = sorted((one for one in found if one.complaints), key=lambda one: not one.is_grave)
    context = {
        "tab": "sources",
        "diagnoses": found,
        "to_mend": to_mend,
        "newest": NEWEST,
        "behind": _behind(request),
    }
    return render(request, "sources/list.html", context)


def _behind(request: MemberRequest) -> Backlog | None:
    """The spool is the whole hub's: only who manages hears of it, and only when there is something to do."""
    if not request.membership.rights["manage"]:
        return None
    waits = backlog()
    return waits if waits.oldest_s > BEHIND_S or waits.refused or waits.damaged else None


@requires(Right.VIEW)
@require_safe
def connect(request: MemberRequest) -> HttpResponse:
    return render(request, "sources/connect.html", _connect(request, NO_KEY))


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
    response = render(request, "sources/connect.html", {**_connect(request, secret), "made": key})
    add_never_cache_headers(response)
    return response


def _connect(request: MemberRequest, key: str) -> dict[str, Any]:
    since = _since(request)
    base = request.build_absolute_uri("/").rstrip("/")
    heard = request.agent.emitters.filter(last_at__gte=since).exclude(
        source__in=(Source.UPLOAD, Source.COMMAND)
    )
    return {
        "tab": "connect",
        "snippets": snippets(base=base, agent=request.agent.slug, key=key),
        "since": since,
        "heard": list(heard.order_by("-last_at")),
    }


def _since(request: MemberRequest) -> datetime:
    """When this person began to wait; the fragment hands it on."""
    try:
        given = parse_datetime(request.GET.get("since", ""))
    except ValueError:
        given = None
    return given if given is not None and given.tzinfo is not None else timezone.now()
