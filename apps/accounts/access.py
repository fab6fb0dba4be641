"""Who may do what. Fetching and authorising are one call: a stranger gets 404, a weak role 403."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponseBase

if TYPE_CHECKING:
    from apps.accounts.models import Agent, Membership, User, Workspace


class Right(models.TextChoices):
    """What a page or an action asks for."""

    VIEW = "view", "See everything but originals"
    REVEAL = "reveal", "Read originals"
    INGEST = "ingest", "Upload traces"
    REVIEW = "review", "Decide findings"
    LABEL = "label", "Name, accept, ignore and merge tasks"
    BUILD = "build", "Build datasets, train, evaluate, request rollouts"
    APPROVE = "approve", "Approve, reject and roll back rollouts"
    MANAGE = "manage", "People, keys, agents and settings"


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    CURATOR = "curator", "Curator"
    ENGINEER = "engineer", "Engineer"
    APPROVER = "approver", "Approver"
    ADMIN = "admin", "Admin"


class Scope(models.TextChoices):
    """What an API key may do."""

    INGEST = "ingest", "Send traces"
    INFER = "infer", "Call models through the gateway"
    READ = "read", "Read traces, tasks and evaluations"


_CURATOR = {Right.VIEW, Right.INGEST, Right.REVIEW, Right.LABEL}
ROLE_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.CURATOR: frozenset(_CURATOR | {Right.REVEAL}),
    Role.ENGINEER: frozenset(_CURATOR | {Right.BUILD}),
    Role.APPROVER: frozenset({Right.VIEW, Right.APPROVE}),
    Role.ADMIN: frozenset(Right),
}


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
            if not request.membership.may(right):
                raise PermissionDenied(
                    f"Your role ({request.membership.role}) may not do this: {right.label}."
                )
            return view(request, **kwargs)

        guarded.required_right = right  # type: ignore[attr-defined]
        return guarded

    return decorate


def _membership(request: MemberRequest, slug: str) -> Membership:
    from apps.accounts.models import Membership

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
