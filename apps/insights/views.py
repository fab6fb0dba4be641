from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.live import render_page
from apps.insights import selectors, services


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    workspace = selectors.home_workspace(request.user)  # type: ignore[arg-type]
    if workspace is None:
        return redirect("team:create_workspace")
    return redirect(workspace)


@requires(Right.VIEW)
@require_safe
def workspace_home(request: MemberRequest) -> HttpResponse:
    agent = selectors.home_agent(request.workspace, request.session.get("agent"))
    if agent is None:
        return render(request, "insights/no_agent.html")
    return redirect(agent)


@requires(Right.VIEW)
@require_safe
def home(request: MemberRequest) -> HttpResponse:
    since = services.note_visit(membership=request.membership, session=request.session)
    agent, membership = request.agent, request.membership
    return render_page(
        request,
        "insights/home.html",
        parts={
            "next": lambda: selectors.where_it_stands(agent, membership),
            "running": lambda: selectors.running(agent),
            "changes": lambda: selectors.changes(agent.workspace, membership, since=since),
            "waits": lambda: {"worklist": selectors.worklist(agent, membership)},
        },
    )
