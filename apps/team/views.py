"""Workspaces, agents and people. Keys have views of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.models import Invitation, Membership
from apps.accounts.rights import Right, Role
from apps.core.errors import HubError
from apps.team import selectors, services
from apps.team.forms import AgentForm, InviteForm, RoleForm, WorkspaceForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create_workspace(request: HttpRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        workspace = services.create_workspace(name=form.cleaned_data["name"], owner=request.user)  # type: ignore[arg-type]
        messages.success(request, f"Workspace “{workspace.name}” is ready.")
        return redirect(workspace)
    has_workspace = Membership.objects.filter(user=request.user).exists()  # type: ignore[misc]
    context = {"form": form, "has_workspace": has_workspace}
    return render(request, "team/create_workspace.html", context, status=422 if form.errors else 200)


@requires(Right.VIEW)
@require_safe
def settings(request: MemberRequest) -> HttpResponse:
    return _overview(request, AgentForm())


@requires(Right.MANAGE)
@require_POST
def add_agent(request: MemberRequest) -> HttpResponse:
    form = AgentForm(request.POST)
    if not form.is_valid():
        return _overview(request, form, status=422)
    try:
        agent = services.create_agent(
            workspace=request.workspace, name=form.cleaned_data["name"], actor=request.user
        )
    except HubError as error:
        form.add_error("name", error.sentence)
        return _overview(request, form, status=error.status)
    messages.success(request, f"Agent “{agent.name}” is ready for its traces.")
    return redirect(agent)


def _overview(request: MemberRequest, form: AgentForm, *, status: int = 200) -> HttpResponse:
    context = {
        "tab": "settings",
        "form": form,
        "agents": request.workspace.agents.order_by("name"),
        "people": request.workspace.memberships.count(),
        "keys": request.workspace.api_keys.filter(revoked_at=None).count(),
        "admins": selectors.admins_of(request.workspace),
    }
    return render(request, "team/settings.html", context, status=status)


@requires(Right.VIEW)
@require_safe
def people(request: MemberRequest) -> HttpResponse:
    return _people(request, InviteForm())


def _people(request: MemberRequest, form: InviteForm, *, status: int = 200, **extra: Any) -> HttpResponse:
    may_manage = request.membership.may(Right.MANAGE)
    context = {
        "tab": "people",
        "form": form,
        "members": selectors.members_of(request.workspace),
        "invitations": selectors.open_invitations(request.workspace) if may_manage else [],
        "roles": Role.choices,
        "role_facts": selectors.role_facts(),
        **extra,
    }
    return render(request, "team/people.html", context, status=status)


@requires(Right.MANAGE)
@require_POST
def invite(request: MemberRequest) -> HttpResponse:
    """Shows the link on the answer itself: it exists nowhere else and is never shown again."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _people(request, form, status=422)
    email, role = form.cleaned_data["email"], Role(form.cleaned_data["role"])
    try:
        invitation, token = services.invite(
            workspace=request.workspace, email=email, role=role, actor=request.user
        )
    except HubError as error:
        form.add_error("email", error.sentence)
        return _people(request, form, status=error.status)
    link = request.build_absolute_uri(reverse("team:accept_invitation", args=[token]))
    response = _people(request, InviteForm(), link=link, invited=invitation)
    add_never_cache_headers(response)
    return response


@requires(Right.MANAGE)
@require_POST
def withdraw_invitation(request: MemberRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(Invitation, workspace=request.workspace, pk=pk)
    try:
        services.withdraw_invitation(invitation=invitation, actor=request.user)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"The link for {invitation.email} no longer works.")
    return redirect(request.workspace.address("team:people"))


@requires(Right.MANAGE)
@require_POST
def change_role(request: MemberRequest, pk: int) -> HttpResponse:
    membership = _member(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
        return redirect(request.workspace.address("team:people"))
    try:
        services.change_role(membership=membership, role=Role(form.cleaned_data["role"]), actor=request.user)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"{membership.user} is now {membership.get_role_display().lower()}.")
    return redirect(request.workspace.address("team:people"))


@requires(Right.MANAGE)
@require_POST
def remove_member(request: MemberRequest, pk: int) -> HttpResponse:
    membership = _member(request, pk)
    try:
        services.remove_member(membership=membership, actor=request.user)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"{membership.user} no longer belongs to {request.workspace}.")
        if membership.user_id == request.user.pk:
            return redirect("insights:index")
    return redirect(request.workspace.address("team:people"))


def _member(request: MemberRequest, pk: int) -> Membership:
    return get_object_or_404(
        Membership.objects.select_related("user", "workspace"), workspace=request.workspace, pk=pk
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        if request.method == "POST":
            membership = services.accept_invitation(token=token, user=request.user)  # type: ignore[arg-type]
            messages.success(
                request, f"You are now {membership.get_role_display().lower()} in {membership.workspace}."
            )
            return redirect(membership.workspace)
        invitation = services.open_invitation(token)
        services.check_addressee(invitation, request.user)  # type: ignore[arg-type]
    except services.BadInvitationError as error:
        return render(
            request, "team/invitation.html", {"error": error, "here": request.path}, status=error.status
        )
    return render(request, "team/invitation.html", {"invitation": invitation})
