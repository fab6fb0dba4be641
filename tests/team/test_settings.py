from __future__ import annotations

import pytest

from apps.accounts.models import Agent
from tests.world import World


def test_an_admin_adds_an_agent(world: World) -> None:
    response = world.client(world.admin).post(world.workspace_url("team:add_agent"), {"name": "Billing bot"})
    assert response["location"] == f"/w/{world.workspace.slug}/billing-bot/"
    assert b"Billing bot" in world.client(world.viewer).get(world.workspace_url("team:settings")).content


@pytest.mark.parametrize(
    ("name", "status"), [("Support desk", 409), ("Settings", 400), ("!!", 400), ("", 422)]
)
def test_it_refuses_a_name_that_is_taken_reserved_or_empty(world: World, name: str, status: int) -> None:
    response = world.client(world.admin).post(world.workspace_url("team:add_agent"), {"name": name})
    assert response.status_code == status
    assert Agent.objects.count() == 1


def test_a_viewer_reads_the_settings_without_forms(world: World) -> None:
    page = world.client(world.viewer).get(world.workspace_url("team:settings")).content
    assert b"Add agent" not in page
    assert b"managed by" in page


def test_a_stranger_gets_404_everywhere(world: World) -> None:
    client = world.client(world.stranger)
    for name in (
        "team:settings",
        "team:people",
        "team:keys",
        "jobs:list",
        "events:activity",
        "insights:workspace_home",
    ):
        assert client.get(world.workspace_url(name)).status_code == 404, name
    assert client.get(world.url("insights:home")).status_code == 404


def test_pages_ask_few_questions(world: World, django_assert_max_num_queries: object) -> None:
    client = world.client(world.admin)
    for name in ("team:settings", "team:people", "team:keys", "jobs:list", "events:activity"):
        with django_assert_max_num_queries(14):  # type: ignore[operator]
            client.get(world.workspace_url(name))
