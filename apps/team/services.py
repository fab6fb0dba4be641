"""Workspaces, agents, members, invitations and keys: the writes that leave events."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify

from apps.accounts import revision
from apps.accounts.authentication import key_digest
from apps.accounts.keys import create_key
from apps.accounts.models import Agent, ApiKey, Invitation, Membership, User, Workspace
from apps.accounts.rights import Role, Scope
from apps.core.errors import ConflictError, HubError
from apps.events.services import publish
from apps.team.events import (
    AgentCreated,
    InvitationWithdrawn,
    KeyCreated,
    KeyRevoked,
    MemberInvited,
    MemberJoined,
    MemberRemoved,
    MemberRoleChanged,
    WorkspaceCreated,
)

INVITATION_LASTS = timedelta(days=7)
# Words that stand where an agent's slug would stand in an address.
RESERVED_AGENT_SLUGS = {"jobs", "activity", "settings", "privacy", "agents", "members", "keys", "new"}


class LastAdminError(ConflictError):
    """A workspace keeps at least one admin."""


class BadInvitationError(HubError):
    """The invitation was used, withdrawn or has expired."""

    status = 410


class WrongPersonError(BadInvitationError):
    """The invitation is for another address than the one that is signed in."""

    status = 403


@transaction.atomic
def create_workspace(*, name: str, owner: User, is_demo: bool = False) -> Workspace:
    """A workspace with its own key; its maker is its first admin."""
    workspace = Workspace.objects.create(name=name, slug=_free_slug(name), is_demo=is_demo)
    create_key(workspace)
    Membership.objects.create(user=owner, workspace=workspace, role=Role.ADMIN)
    publish(WorkspaceCreated(name=name), workspace=workspace, actor=owner)
    return workspace


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "workspace"
    taken = set(
        Workspace.objects.filter(Q(slug=base) | Q(slug__startswith=f"{base}-")).values_list("slug", flat=True)
    )
    return next(
        slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken
    )


@transaction.atomic
def create_agent(*, workspace: Workspace, name: str, actor: User | None, slug: str = "") -> Agent:
    slug = slug or slugify(name)[:60]
    if not slug or slug in RESERVED_AGENT_SLUGS:
        raise HubError(f"{name!r} cannot name an agent.", hint="Use letters and digits, e.g. “support desk”.")
    if workspace.agents.filter(slug=slug).exists():
        raise ConflictError(f"This workspace already has an agent {slug!r}.", hint="Choose another name.")
    agent = Agent.objects.create(workspace=workspace, name=name, slug=slug)
    revision.touch()
    publish(AgentCreated(name=name), workspace=workspace, agent=agent, actor=actor)
    return agent


@transaction.atomic
def add_member(*, workspace: Workspace, user: User, role: Role, actor: User | None) -> Membership:
    membership, _ = Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": role})
    publish(MemberJoined(person=str(user), role=membership.role), workspace=workspace, actor=actor)
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: Role, actor: User) -> Membership:
    if membership.role == Role.ADMIN and role != Role.ADMIN:
        _keep_an_admin(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    fact = MemberRoleChanged(person=str(membership.user), role=role.value)
    publish(fact, workspace=membership.workspace, actor=actor)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: User) -> None:
    if membership.role == Role.ADMIN:
        _keep_an_admin(membership)
    membership.delete()
    publish(MemberRemoved(person=str(membership.user)), workspace=membership.workspace, actor=actor)


def _keep_an_admin(membership: Membership) -> None:
    others = membership.workspace.memberships.filter(role=Role.ADMIN).exclude(pk=membership.pk)
    if not others.exists():
        raise LastAdminError("This is the last admin.", hint="Make somebody else an admin first.")


@transaction.atomic
def invite(*, workspace: Workspace, email: str, role: Role, actor: User) -> tuple[Invitation, str]:
    """The invitation and its token, which is shown once."""
    if workspace.memberships.filter(user__email__iexact=email).exists():
        raise ConflictError(f"{email} is already a member.")
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        workspace=workspace,
        email=email.lower(),
        role=role,
        digest=key_digest(token),
        invited_by=actor,
        expires_at=timezone.now() + INVITATION_LASTS,
    )
    fact = MemberInvited(invitation=invitation.pk, email=email, role=role.value)
    publish(fact, workspace=workspace, actor=actor)
    return invitation, token


def open_invitation(token: str) -> Invitation:
    invitation = (
        Invitation.objects.select_related("workspace")
        .filter(digest=key_digest(token), accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())
        .first()
    )
    if invitation is None:
        raise BadInvitationError(
            "This invitation was used, withdrawn or has expired.", hint="Ask for a new one."
        )
    return invitation


def check_addressee(invitation: Invitation, user: User) -> None:
    """Raises when the invitation was made for somebody else."""
    if user.email.lower() != invitation.email:
        raise WrongPersonError(
            f"This invitation is for {invitation.email}.", hint="Sign in with that address to accept it."
        )


@transaction.atomic
def accept_invitation(*, token: str, user: User) -> Membership:
    """Makes the person a member. The link works once, and only for the address that it was sent to."""
    invitation = open_invitation(token)
    check_addressee(invitation, user)
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(
        accepted_at=timezone.now()
    ):
        raise BadInvitationError("This invitation was used or withdrawn a moment ago.")
    return add_member(workspace=invitation.workspace, user=user, role=Role(invitation.role), actor=user)


@transaction.atomic
def withdraw_invitation(*, invitation: Invitation, actor: User) -> None:
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(
        withdrawn_at=timezone.now()
    ):
        raise ConflictError("This invitation is no longer open.")
    fact = InvitationWithdrawn(invitation=invitation.pk, email=invitation.email)
    publish(fact, workspace=invitation.workspace, actor=actor)


@transaction.atomic
def create_api_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Sequence[Scope],
    actor: User | None,
    agent: Agent | None = None,
) -> tuple[ApiKey, str]:
    """The key and its secret, which is shown once; only its SHA-256 is stored."""
    if not scopes:
        raise HubError("A key needs at least one scope.", hint="Tick what the program may do.")
    secret = f"hub_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        workspace=workspace,
        agent=agent,
        name=name,
        prefix=secret[:10],
        digest=key_digest(secret),
        scopes=sorted(scope.value for scope in scopes),
        created_by=actor,
    )
    revision.touch()
    fact = KeyCreated(key=key.pk, name=name, scopes=key.scopes)
    publish(fact, workspace=workspace, agent=agent, actor=actor)
    return key, secret


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: User) -> None:
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        raise ConflictError("This key was already revoked.")
    revision.touch()
    publish(KeyRevoked(key=key.pk, name=key.name), workspace=key.workspace, actor=actor)
