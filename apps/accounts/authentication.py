"""API keys for programs: `Authorization: Bearer hub_…`."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import Agent, ApiKey
from apps.accounts.rights import Scope
from apps.accounts.snapshot import NOTE_USE_EVERY_S
from apps.accounts.which_agent import AGENT_HEADER, chosen
from apps.core.errors import BadBodyError


def key_digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the `ApiKey`; there is no user behind a key."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = (
            ApiKey.objects.select_related("workspace", "agent")
            .filter(digest=key_digest(secret.strip()), revoked_at__isnull=True)
            .first()
        )
        if key is None:
            raise AuthenticationFailed("This API key is unknown or was revoked. Make a new one in Settings.")
        _note_use(key)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _note_use(key: ApiKey) -> None:
    """Seldom: a write with every reading would make readers wait for each other."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(seconds=NOTE_USE_EVERY_S):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


class ApiKeySchema(OpenApiAuthenticationExtension):
    """Says in the OpenAPI schema how a program shows its key."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "hub_…"}


class HasScope(BasePermission):
    """The view names the scope it needs as `scope`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            raise AuthenticationFailed("Send an API key: Authorization: Bearer hub_…")
        needed: Scope = view.scope
        if not request.auth.allows(needed):
            raise PermissionDenied(f"This API key lacks the scope {needed.value!r}.")
        return True


def key_of(request: Request) -> ApiKey:
    """The key that `HasScope` has let through."""
    if not isinstance(request.auth, ApiKey):
        raise TypeError("This view lets requests without a key in.")
    return request.auth


def agent_of(request: Request, named: str = "") -> Agent:
    """The agent that a request is about, as far as its key may go: named in its body, address or header,
    else the key's own, else the workspace's only one."""
    key = key_of(request)
    slug = named or request.query_params.get("agent", "") or request.headers.get(AGENT_HEADER, "")
    own = [key.agent] if key.agent else key.workspace.agents.select_related("workspace")
    found = chosen({agent.slug: agent for agent in own}, slug, bound=key.agent is not None)
    if found is None:
        raise BadBodyError("Name the agent.", hint="Add ?agent=SLUG, or use a key that belongs to one agent.")
    return found
