"""What a teacher costs is said among the workspace's prices, and shown where it was shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.prices.book import PriceBook
from apps.prices.models import Price
from apps.prices.services import set_price
from apps.registry.services import set_teacher
from slmhub.formats import Usage
from tests.world import World

ADDRESS = "https://llm.example.com/v1"


def page(world: World) -> str:
    html = world.client(world.viewer).get(world.url("registry:list")).content.decode()
    return " ".join(html.split())


@pytest.mark.django_db
class TestPage:
    def test_it_shows_the_workspaces_own_price(self, world: World) -> None:
        set_teacher(agent=world.agent, name="LLM", base_url=ADDRESS, model="House-7b")
        set_price(
            workspace=world.workspace,
            actor=world.admin,
            model="house-7b",
            input=2.5,
            output=10,
            source="contract",
        )
        assert "$2.5 in and $10.0 out per million tokens" in page(world)

    def test_it_shows_the_shipped_price(self, world: World) -> None:
        set_teacher(agent=world.agent, name="LLM", base_url=ADDRESS, model="gpt-4o")
        assert "out per million tokens" in page(world)

    def test_where_none_is_known_it_leads_to_setting_one(self, world: World) -> None:
        set_teacher(agent=world.agent, name="LLM", base_url=ADDRESS, model="house-7b")
        assert f"{world.workspace_url('prices:list')}?model=house-7b" in page(world)

    def test_a_teacher_that_names_no_model_has_no_price(self, world: World) -> None:
        set_teacher(agent=world.agent, name="LLM", base_url=ADDRESS)
        assert "per million tokens" not in page(world)
        assert "set a price" not in page(world)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_what_teachers_were_said_to_cost_becomes_prices(world: World) -> None:
    Price.objects.create(workspace=world.workspace, model="big", input=1, output=2, source="contract")
    migrate("0001_initial")
    try:
        teachers = [
            ("Whole", "House-7b", 2.5, 10.0),
            ("Known already", "big", 3.0, 15.0),
            ("Half", "small", 0.5, None),
            ("Nameless", "", 4.0, 8.0),
            ("Free of charge", "tiny", None, None),
        ]
        for name, model, input, output in teachers:
            agent = world.workspace.agents.create(name=name, slug=name.split()[0].lower())
            insert_teacher(world, agent.pk, name, model, input, output)
    finally:
        migrate("0002_prices_move_out")

    prices = {price.model: price for price in Price.objects.filter(workspace=world.workspace)}
    assert {model: (price.input, price.output) for model, price in prices.items()} == {
        "big": (1, 2),
        "house-7b": (2.5, 10.0),
        "teacher of known: known already": (3.0, 15.0),
        "teacher of half: half": (0.5, 0.0),
        "teacher of nameless: nameless": (4.0, 8.0),
    }
    assert "$0.5 and an unknown price" in prices["teacher of half: half"].source
    # From here on they count.
    cost = PriceBook(world.workspace).cost_of(
        provider="", model="house-7b", at=world.agent.created_at, usage=Usage(input=1_000_000, output=0)
    )
    assert cost == 2.5


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("registry", name)])


def insert_teacher(world: World, agent: int, name: str, model: str, *prices: Any) -> None:
    before = MigrationExecutor(connection).loader.project_state([("registry", "0001_initial")]).apps
    before.get_model("registry", "Teacher").objects.create(
        workspace_id=world.workspace.pk,
        agent_id=agent,
        name=name,
        base_url=ADDRESS,
        model=model,
        input_price=prices[0],
        output_price=prices[1],
    )
