from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory

from apps.core import error_pages
from tests.world import World


def test_a_weak_role_is_told_which_right_is_missing(world: World) -> None:
    response = world.client(world.viewer).get(world.workspace_url("team:keys"))
    assert response.status_code == 403
    assert b"Your role (viewer) may not do this: People, keys, agents and settings." in response.content


def test_a_wrong_address_gets_our_page(world: World) -> None:
    response = world.client(world.viewer).get("/nothing/here")
    assert response.status_code == 404
    assert b"Nothing here" in response.content


def test_a_program_gets_json(db: None) -> None:
    response = Client().get("/api/v1/nothing/here")
    assert response.status_code == 404
    assert response.json() == {"error": {"type": "NotFound", "message": "There is nothing at this address."}}


def test_a_message_is_shown_as_text(db: None) -> None:
    response = error_pages.forbidden(RequestFactory().get("/w/x/"), PermissionDenied("<script>"))
    assert b"<script>" not in response.content.replace(b"<script src", b"")


@pytest.mark.parametrize(("path", "kind"), [("/w/x/", "text/html"), ("/api/v1/spans", "application/json")])
def test_what_breaks_names_the_line_in_the_log(path: str, kind: str, caplog: Any) -> None:
    response = error_pages.server_error(RequestFactory().get(path))
    assert response.status_code == 500
    assert response["Content-Type"].startswith(kind)
    error_id = caplog.records[-1].getMessage().split()[1]
    assert error_id in response.content.decode()


def test_a_form_without_its_token_gets_our_page(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    response = client.post(world.workspace_url("team:invite"), {"email": "a@b.example", "role": "viewer"})
    assert response.status_code == 403
    assert b"Reload it and try again" in response.content
