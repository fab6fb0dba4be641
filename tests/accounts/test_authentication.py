"""API keys in front of the REST interface."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from apps.accounts.models import ApiKey
from apps.accounts.rights import Scope
from apps.accounts.snapshot import NOTE_USE_EVERY_S
from apps.team.services import create_api_key, revoke_api_key
from tests.world import World


class Probe(APIView):
    scope = Scope.READ

    def get(self, request: Request) -> Response:
        return Response({"workspace": request.auth.workspace.slug})


def answer(authorization: str) -> Response:
    headers = {"HTTP_AUTHORIZATION": authorization} if authorization else {}
    return Probe.as_view()(APIRequestFactory().get("/", **headers))


def key(world: World, *scopes: Scope) -> tuple[ApiKey, str]:
    return create_api_key(workspace=world.workspace, name="ci", scopes=scopes, actor=world.admin)


def test_a_key_opens_its_workspace(world: World) -> None:
    row, secret = key(world, Scope.READ, Scope.INGEST)

    assert answer(f"Bearer {secret}").data == {"workspace": "acme"}
    row.refresh_from_db()
    assert row.last_used_at is not None


def test_its_last_use_is_noted_seldom(world: World, django_assert_num_queries: Any) -> None:
    row, secret = key(world, Scope.READ)
    answer(f"Bearer {secret}")
    with django_assert_num_queries(1):
        answer(f"Bearer {secret}")

    long_ago = timezone.now() - timedelta(seconds=2 * NOTE_USE_EVERY_S)
    ApiKey.objects.update(last_used_at=long_ago)
    answer(f"Bearer {secret}")
    row.refresh_from_db()
    assert row.last_used_at > long_ago


def test_the_secret_is_stored_nowhere(world: World) -> None:
    row, secret = key(world, Scope.READ)

    assert secret not in str(ApiKey.objects.filter(pk=row.pk).values().get())
    assert row.prefix == secret[:10]


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer", "Bearer hub_unknown", "Bearer \xff"])
def test_without_a_known_key_it_answers_401(world: World, authorization: str) -> None:
    response = answer(authorization)

    assert response.status_code == 401
    assert response["www-authenticate"] == "Bearer"
    assert response.data["error"]["message"]


def test_a_revoked_key_answers_401_at_once(world: World) -> None:
    row, secret = key(world, Scope.READ)
    revoke_api_key(key=row, actor=world.admin)

    assert answer(f"Bearer {secret}").status_code == 401


def test_a_key_without_the_scope_answers_403(world: World) -> None:
    _, secret = key(world, Scope.INGEST)

    response = answer(f"Bearer {secret}")
    assert response.status_code == 403
    assert "read" in response.data["error"]["message"]
