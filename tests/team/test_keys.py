from __future__ import annotations

import hashlib
import re

import pytest
from django.test import Client, RequestFactory
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import ApiKey
from apps.accounts.rights import Scope
from apps.events.models import Event
from apps.team import services
from tests.world import World

SECRET = re.compile(r"hub_[\w-]{43}")


class Ping(APIView):
    """The least API view behind a key."""

    scope = Scope.READ

    def get(self, request: object) -> Response:
        return Response({"workspace": request.auth.workspace.slug})  # type: ignore[attr-defined]


def ping(secret: str) -> int:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return Ping.as_view()(RequestFactory().get("/api/v1/ping", headers=headers)).status_code


def make(world: World, **form: object) -> tuple[str, str]:
    """The secret that the page showed, and the page."""
    url = world.workspace_url("team:create_key")
    response = world.client(world.admin).post(
        url, {"name": "production", "scopes": ["read", "infer"], **form}
    )
    assert response.status_code == 200
    page = response.content.decode()
    match = SECRET.search(page)
    assert match is not None
    return match[0], page


def test_a_new_key_is_shown_once_and_kept_as_a_hash(world: World) -> None:
    secret, _ = make(world)
    key = ApiKey.objects.get()
    assert key.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(list(ApiKey.objects.values())) + str(list(Event.objects.values("data")))
    page = world.client(world.admin).get(world.workspace_url("team:keys")).content.decode()
    assert secret not in page
    assert key.prefix in page


def test_the_page_with_the_key_is_not_cached_and_holds_ready_snippets(world: World) -> None:
    url = world.workspace_url("team:create_key")
    response = world.client(world.admin).post(url, {"name": "p", "scopes": ["infer"]})
    page = response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "from openai import OpenAI" in page
    assert "http://testserver/v1" in page
    assert "x-slmhub-agent: support-desk" in page


def test_a_key_of_one_agent_needs_no_header(world: World) -> None:
    _, page = make(world, agent=world.agent.pk)
    assert "x-slmhub-agent" not in page
    assert ApiKey.objects.get().agent == world.agent


def test_a_key_opens_the_api_within_its_scopes(world: World) -> None:
    secret, _ = make(world)
    assert ping(secret) == 200
    only_sends, _ = make(world, scopes=["ingest"])
    assert ping(only_sends) == 403


@pytest.mark.parametrize("secret", ["", "hub_unknown"])
def test_nobody_enters_the_api_without_a_key(db: None, secret: str) -> None:
    assert ping(secret) == 401


def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    secret, _ = make(world)
    url = world.workspace_url("team:revoke_key", ApiKey.objects.get().pk)
    assert ping(secret) == 200
    assert world.client(world.admin).post(url).status_code == 302
    assert ping(secret) == 401


def test_revoking_twice_is_told(world: World) -> None:
    make(world)
    url = world.workspace_url("team:revoke_key", ApiKey.objects.get().pk)
    client = world.client(world.admin)
    client.post(url)
    assert b"already revoked" in client.post(url, follow=True).content


@pytest.mark.parametrize("form", [{"scopes": []}, {"scopes": ["everything"]}, {"name": ""}])
def test_a_key_needs_a_name_and_known_scopes(world: World, form: dict[str, object]) -> None:
    url = world.workspace_url("team:create_key")
    response = world.client(world.admin).post(url, {"name": "p", "scopes": ["read"], **form})
    assert response.status_code == 422
    assert not ApiKey.objects.exists()


def test_a_key_cannot_name_another_workspaces_agent(world: World) -> None:
    other = services.create_agent(workspace=world.elsewhere, name="Theirs", actor=world.stranger)
    url = world.workspace_url("team:create_key")
    response = world.client(world.admin).post(url, {"name": "p", "scopes": ["read"], "agent": other.pk})
    assert response.status_code == 422


def test_another_workspaces_key_cannot_be_revoked(world: World) -> None:
    secret, _ = make(world)
    url = f"/w/{world.elsewhere.slug}/settings/keys/{ApiKey.objects.get().pk}/revoke/"
    assert world.client(world.stranger).post(url).status_code == 404
    assert ping(secret) == 200


@pytest.mark.parametrize("who", ["viewer", "curator", "engineer", "approver"])
def test_only_admins_see_keys(world: World, who: str) -> None:
    client: Client = world.client(getattr(world, who))
    assert client.get(world.workspace_url("team:keys")).status_code == 403
    assert (
        client.post(world.workspace_url("team:create_key"), {"name": "p", "scopes": ["read"]}).status_code
        == 403
    )
