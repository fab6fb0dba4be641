"""Who may do what. Fetching and authorising are one call: a stranger gets 404, a weak role 403."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from apps.accounts.models import Agent, Membership, User, Workspace
from apps.accounts.rights import Right


class MemberRequest(HttpRequest):
    """What a view behind `requires` receives."""

    user: User
    workspace: Workspace
    membership: Membership
    agent: Agent


View = Callable[..., HttpResponseBase]


def requires(right: Right) -> Callable[[View], View]:
    """Resolves `workspace` and `agent` of the address for this person, or answers 404 / 403."""

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: MemberRequest, workspace: str, **kwargs: Any) -> HttpResponseBase:
            request.membership = _membership(request, workspace)
            request.workspace = request.membership.workspace
            if "agent" in kwargs:
                request.agent = _agent(request.workspace, kwargs.pop("agent"))
            insist(request.membership, right)
            return view(request, **kwargs)

        guarded.required_right = right  # type: ignore[attr-defined]
        return guarded

    return decorate


def insist(membership: Membership, right: Right) -> None:
    """Raises what becomes a 403 unless this person has the right."""
    if not membership.may(right):
        raise PermissionDenied(f"Your role ({membership.role}) may not do this: {right.label}.")


def _membership(request: MemberRequest, slug: str) -> Membership:
    try:
        return Membership.objects.select_related("workspace", "user").get(
            workspace__slug=slug, user_id=request.user.pk
        )
    except Membership.DoesNotExist:
        raise Http404("There is no such workspace.") from None


def _agent(workspace: Workspace, slug: str) -> Agent:
    agent = workspace.agents.filter(slug=slug).first()
    if agent is None:
        raise Http404("There is no such agent.")
    return agent
