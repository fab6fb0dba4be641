from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Invitation, Membership
from apps.events.models import Event
from apps.team.events import MemberJoined
from tests.world import World, person

LINK = re.compile(r"http://testserver(/invitations/[\w-]+/)")


def invite(world: World, email: str, role: str = "curator") -> str:
    """The path of the link that the page showed."""
    url = world.workspace_url("team:invite")
    response = world.client(world.admin).post(url, {"email": email, "role": role})
    assert response.status_code == 200
    match = LINK.search(response.content.decode())
    assert match is not None
    return match[1]


def test_an_invited_person_joins_by_the_link(world: World) -> None:
    guest = person("guest")
    client = world.client(guest)
    path = invite(world, "Guest@Example.com")
    assert b"Join Acme" in client.get(path).content
    response = client.post(path, follow=True)
    assert response.redirect_chain[-1][0] == world.url("insights:home")
    assert Membership.objects.get(user=guest).role == "curator"
    assert Event.objects.filter(workspace=world.workspace, type=MemberJoined.type, actor=guest).exists()


def test_the_link_is_shown_once_and_only_its_hash_is_kept(world: World) -> None:
    path = invite(world, "guest@example.com")
    token = path.split("/")[2]
    assert token not in world.client(world.admin).get(world.workspace_url("team:people")).content.decode()
    assert token not in str(list(Invitation.objects.values()))
    assert token not in str(list(Event.objects.values("data")))


def test_a_page_with_a_link_is_not_cached(world: World) -> None:
    url = world.workspace_url("team:invite")
    response = world.client(world.admin).post(url, {"email": "guest@example.com", "role": "viewer"})
    assert "no-store" in response["Cache-Control"]


def test_a_visitor_is_sent_to_sign_in_and_comes_back(world: World) -> None:
    path = invite(world, "guest@example.com")
    response = Client().get(path, follow=True)
    assert response.redirect_chain[-1][0].endswith(f"login/?next={path}")
    assert f"signup/?next={path.replace('/', '%2F')}" in response.content.decode()


def test_somebody_else_is_told_whom_it_is_for(world: World) -> None:
    path, client = invite(world, "guest@example.com"), world.client(world.stranger)
    for response in (client.get(path), client.post(path)):
        assert response.status_code == 403
        assert b"This invitation is for guest@example.com" in response.content
    assert not Membership.objects.filter(user=world.stranger, workspace=world.workspace).exists()


def test_a_link_works_once(world: World) -> None:
    guest = person("guest")
    path, client = invite(world, guest.email), world.client(guest)
    assert client.post(path).status_code == 302
    assert client.post(path).status_code == 410
    assert client.get(path).status_code == 410


def test_an_expired_link_is_gone(world: World) -> None:
    guest = person("guest")
    path = invite(world, guest.email)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = world.client(guest).post(path)
    assert response.status_code == 410
    assert b"has expired" in response.content


def test_a_withdrawn_link_is_gone(world: World) -> None:
    guest = person("guest")
    path = invite(world, guest.email)
    url = world.workspace_url("team:withdraw_invitation", Invitation.objects.get().pk)
    assert world.client(world.admin).post(url).status_code == 302
    assert world.client(guest).post(path).status_code == 410


def test_an_unknown_link_is_gone(world: World) -> None:
    assert world.client(world.viewer).get("/invitations/nonsense/").status_code == 410


def test_a_member_cannot_be_invited_again(world: World) -> None:
    url = world.workspace_url("team:invite")
    response = world.client(world.admin).post(url, {"email": world.viewer.email, "role": "viewer"})
    assert response.status_code == 409
    assert b"already a member" in response.content


@pytest.mark.parametrize(
    "form", [{"email": "nobody", "role": "viewer"}, {"email": "a@b.example", "role": "emperor"}]
)
def test_it_refuses_a_bad_address_or_role(world: World, form: dict[str, str]) -> None:
    assert world.client(world.admin).post(world.workspace_url("team:invite"), form).status_code == 422
    assert not Invitation.objects.exists()


def test_another_workspaces_invitation_cannot_be_withdrawn(world: World) -> None:
    invite(world, "guest@example.com")
    url = f"/w/{world.elsewhere.slug}/settings/people/invitations/{Invitation.objects.get().pk}/withdraw/"
    assert world.client(world.stranger).post(url).status_code == 404


def member(world: World, name: str) -> Membership:
    return Membership.objects.get(user__email=f"{name}@example.com", workspace=world.workspace)


def test_an_admin_changes_a_role_and_it_counts_at_once(world: World) -> None:
    url = world.workspace_url("team:change_role", member(world, "viewer").pk)
    client = world.client(world.viewer)
    assert client.get(world.workspace_url("team:keys")).status_code == 403
    world.client(world.admin).post(url, {"role": "admin"})
    assert client.get(world.workspace_url("team:keys")).status_code == 200


def test_the_last_admin_stays(world: World) -> None:
    admin, owner = member(world, "admin"), member(world, "owner")
    client = world.client(world.admin)
    assert client.post(world.workspace_url("team:remove_member", owner.pk)).status_code == 302
    page = client.post(world.workspace_url("team:change_role", admin.pk), {"role": "viewer"}, follow=True)
    assert b"This is the last admin" in page.content
    client.post(world.workspace_url("team:remove_member", admin.pk))
    admin.refresh_from_db()
    assert admin.role == "admin"


def test_a_removed_person_loses_access_at_once(world: World) -> None:
    client = world.client(world.viewer)
    assert client.get(world.workspace_url("team:people")).status_code == 200
    world.client(world.admin).post(world.workspace_url("team:remove_member", member(world, "viewer").pk))
    assert client.get(world.workspace_url("team:people")).status_code == 404


def test_who_leaves_by_themselves_lands_outside(world: World) -> None:
    response = world.client(world.admin).post(
        world.workspace_url("team:remove_member", member(world, "admin").pk)
    )
    assert response["location"] == "/"


def test_an_unknown_role_changes_nothing(world: World) -> None:
    world.client(world.admin).post(
        world.workspace_url("team:change_role", member(world, "viewer").pk), {"role": "x"}
    )
    assert member(world, "viewer").role == "viewer"


def test_everybody_sees_the_people_but_only_admins_the_invitations(world: World) -> None:
    invite(world, "guest@example.com")
    page = world.client(world.viewer).get(world.workspace_url("team:people")).content
    assert b"engineer@example.com" in page
    assert b"guest@example.com" not in page
    assert b"guest@example.com" in world.client(world.admin).get(world.workspace_url("team:people")).content


def test_a_name_is_shown_as_text(world: World) -> None:
    world.viewer.name = "<b>Vera</b>"
    world.viewer.save()
    assert b"<b>Vera" not in world.client(world.admin).get(world.workspace_url("team:people")).content
