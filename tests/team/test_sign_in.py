from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Membership, User
from apps.team import services
from slmhub.demo.people import DEMO_PASSWORD, DEMO_WORKSPACE, PEOPLE
from tests.world import PASSWORD, World, person


@pytest.fixture(autouse=True)
def no_rate_limit() -> Iterator[None]:
    """Sign-in attempts are limited by address; every test starts with none."""
    cache.clear()
    yield
    cache.clear()


def sign_in(client: Client, email: str, password: str, **extra: str) -> object:
    return client.post(reverse("account_login"), {"login": email, "password": password, **extra})


def test_it_signs_in_and_leads_to_the_workspace(world: World) -> None:
    client = Client()
    response = client.post(
        reverse("account_login"), {"login": world.viewer.email, "password": PASSWORD}, follow=True
    )
    assert response.status_code == 200
    assert response.redirect_chain[-1][0] == world.url("insights:home")
    assert b"Support desk" in response.content


def test_it_signs_in_whatever_the_case_of_the_address(world: World) -> None:
    client = Client()
    assert sign_in(client, world.viewer.email.upper(), PASSWORD).status_code == 302  # type: ignore[attr-defined]


def test_it_refuses_a_wrong_password(world: World) -> None:
    client = Client()
    response = client.post(
        reverse("account_login"), {"login": world.viewer.email, "password": "not the password"}
    )
    assert response.status_code == 200
    assert "_auth_user_id" not in client.session
    assert b"not correct" in response.content


def test_it_signs_out_by_post_only(world: World) -> None:
    client = world.client(world.viewer)
    assert client.get(reverse("account_logout")).status_code == 200
    assert "_auth_user_id" in client.session
    assert client.post(reverse("account_logout")).status_code == 302
    assert "_auth_user_id" not in client.session
    assert client.get(world.url("insights:home")).status_code == 302


def test_a_new_person_comes_to_create_a_workspace(db: None) -> None:
    client = Client()
    account = {"email": "new@example.com", "password1": "a fresh long password"}
    response = client.post(reverse("account_signup"), account, follow=True)
    assert response.redirect_chain[-1][0] == reverse("team:create_workspace")
    response = client.post(reverse("team:create_workspace"), {"name": "Fresh team"}, follow=True)
    assert b"Add your first agent" in response.content
    membership = Membership.objects.get(user__email="new@example.com")
    assert (membership.workspace.slug, membership.role) == ("fresh-team", "admin")


def test_a_workspace_needs_a_name(world: World) -> None:
    response = world.client(world.viewer).post(reverse("team:create_workspace"), {"name": " "})
    assert response.status_code == 422


def test_a_forgotten_password_is_reset_by_a_link_that_works_once(world: World) -> None:
    Client().post(reverse("account_reset_password"), {"email": world.viewer.email})
    link = next(word for word in str(mail.outbox[0].body).split() if "/password/reset/key/" in word)
    client = Client()
    page = client.get(link, follow=True)
    assert b"Choose a new password" in page.content
    client.post(
        page.redirect_chain[-1][0],
        {"password1": "another long password", "password2": "another long password"},
    )
    assert User.objects.get(pk=world.viewer.pk).check_password("another long password")
    assert b"no longer works" in Client().get(link, follow=True).content


@pytest.mark.parametrize(
    "name",
    ["login", "signup", "reset_password", "reset_password_done", "reset_password_from_key_done", "inactive"],
)
def test_a_visitor_sees_our_page(db: None, name: str) -> None:
    response = Client().get(reverse(f"account_{name}"))
    assert b'class="auth-card"' in response.content


@pytest.mark.parametrize("name", ["logout", "email", "change_password", "reauthenticate"])
def test_a_signed_in_person_sees_our_page(world: World, name: str) -> None:
    response = world.client(world.viewer).get(reverse(f"account_{name}"))
    assert b'class="auth-card"' in response.content


def test_a_person_without_a_password_sees_our_page_to_set_one(world: World) -> None:
    world.viewer.set_unusable_password()
    world.viewer.save()
    response = world.client(world.viewer).get(reverse("account_set_password"))
    assert b"Set a password" in response.content


def test_a_damaged_link_of_a_reset_or_a_confirmation_gets_our_page(db: None) -> None:
    assert (
        b"no longer works"
        in Client().get(reverse("account_reset_password_from_key", args=["1", "x-y"])).content
    )
    response = Client().get(reverse("account_confirm_email", args=["nonsense"]))
    assert b'class="auth-card"' in response.content


def test_the_log_in_page_names_no_demo_people_without_a_demo(world: World) -> None:
    assert DEMO_PASSWORD.encode() not in Client().get(reverse("account_login")).content


def test_the_demo_lists_its_people_and_signs_them_in_with_one_click(db: None) -> None:
    owner = User.objects.create_user(PEOPLE[0].email, DEMO_PASSWORD, name=PEOPLE[0].name)
    services.create_workspace(name=DEMO_WORKSPACE, owner=owner, is_demo=True)
    page = Client().get(reverse("account_login"), {"next": '/w/"><script>/'}).content.decode()
    for somebody in PEOPLE:
        assert somebody.email in page
    assert "<script>/" not in page
    client = Client()
    assert sign_in(client, PEOPLE[0].email, DEMO_PASSWORD).status_code == 302  # type: ignore[attr-defined]
    assert client.session["_auth_user_id"] == str(owner.pk)


def test_a_workspace_that_only_calls_itself_demo_shows_nothing(db: None) -> None:
    services.create_workspace(name=DEMO_WORKSPACE, owner=person("ann"))
    assert DEMO_PASSWORD.encode() not in Client().get(reverse("account_login")).content
