from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import Agent, User
from apps.accounts.rights import ROLE_RIGHTS, Right, Role
from tests.world import PASSWORD, World, person


def test_each_role_has_its_rights() -> None:
    assert ROLE_RIGHTS[Role.VIEWER] == {Right.VIEW}
    assert ROLE_RIGHTS[Role.ADMIN] == set(Right)
    assert Right.APPROVE not in ROLE_RIGHTS[Role.ENGINEER]
    assert Right.BUILD not in ROLE_RIGHTS[Role.APPROVER]
    assert all(Right.VIEW in rights for rights in ROLE_RIGHTS.values())


def test_a_member_sees_the_page(world: World) -> None:
    assert world.client(world.viewer).get(world.url("rollouts:list")).status_code == 200


def test_a_stranger_gets_404(world: World) -> None:
    assert world.client(world.stranger).get(world.url("rollouts:list")).status_code == 404


def test_a_visitor_is_sent_to_the_log_in(world: World) -> None:
    response = Client().get(world.url("rollouts:list"))

    assert response.status_code == 302
    assert "login" in response["location"]


def test_a_weak_role_gets_403(world: World) -> None:
    assert world.client(world.viewer).post(world.url("rollouts:approve", 1)).status_code == 403


def test_an_agent_of_another_workspace_is_not_found(world: World) -> None:
    Agent.objects.create(workspace=world.elsewhere, name="Theirs", slug="theirs")

    response = world.client(world.viewer).get(f"/w/{world.workspace.slug}/theirs/rollouts/")
    assert response.status_code == 404


def test_a_member_who_was_removed_is_a_stranger_at_once(world: World) -> None:
    client = world.client(world.viewer)
    world.viewer.memberships.all().delete()

    assert client.get(world.url("rollouts:list")).status_code == 404


def test_people_sign_in_by_their_address_in_any_case_and_out_again(world: World) -> None:
    client = Client()
    response = client.post("/accounts/login/", {"login": "VIEWER@example.com", "password": PASSWORD})
    assert response.status_code == 302
    assert client.get(world.url("rollouts:list")).status_code == 200

    client.post("/accounts/logout/")
    assert client.get(world.url("rollouts:list")).status_code == 302


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_a_wrong_password_does_not_open(world: World, password: str) -> None:
    response = Client().post("/accounts/login/", {"login": "viewer@example.com", "password": password})

    assert response.status_code == 200
    assert "_auth_user_id" not in response.client.session


def test_somebody_who_was_deactivated_stays_out(world: World) -> None:
    client = world.client(world.viewer)
    User.objects.filter(pk=world.viewer.pk).update(is_active=False)

    assert client.get(world.url("rollouts:list")).status_code == 302


def test_addresses_are_kept_in_lower_case(db: None) -> None:
    assert User.objects.create_user("Ann@Example.COM", PASSWORD).email == "ann@example.com"
    assert person("bob").check_password(PASSWORD)
