"""Reading a workspace's people, invitations and keys."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from apps.accounts.models import ApiKey, Invitation, Membership, Workspace
from apps.accounts.rights import ROLE_RIGHTS, Right, Role

ADMINS = [role for role in Role if Right.MANAGE in ROLE_RIGHTS[role]]


@dataclass(frozen=True)
class RoleFacts:
    """A role with what it may do, in words."""

    label: str
    rights: list[str]


def members_of(workspace: Workspace) -> list[Membership]:
    return list(workspace.memberships.select_related("user").order_by("user__name", "user__email"))


def open_invitations(workspace: Workspace) -> list[Invitation]:
    """Invitations that may still be accepted, newest first."""
    invitations = workspace.invitations.filter(
        accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now()
    )
    return list(invitations.select_related("invited_by").order_by("-created_at"))


def keys_of(workspace: Workspace) -> list[ApiKey]:
    """Keys that work first, then the revoked ones."""
    keys = list(workspace.api_keys.select_related("agent", "created_by").order_by("-created_at", "-pk"))
    return sorted(keys, key=lambda key: key.revoked_at is not None)


def role_facts() -> list[RoleFacts]:
    return [
        RoleFacts(role.label, [right.label for right in Right if right in ROLE_RIGHTS[role]]) for role in Role
    ]


def admins_of(workspace: Workspace) -> list[str]:
    """Whom to ask for another role."""
    members = workspace.memberships.filter(role__in=ADMINS).select_related("user").order_by("pk")[:3]
    return [str(member.user) for member in members]
