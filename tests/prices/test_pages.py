"""The page of prices: who sets them, and what it refuses."""

from __future__ import annotations

import pytest
from django.http import HttpResponse

from apps.events.models import Event
from apps.jobs.models import Job
from apps.prices.events import PriceSet
from apps.prices.models import Price
from tests.world import World

pytestmark = pytest.mark.django_db
CONTRACT = {"model": "GPT-4o ", "provider": "OpenAI", "input": "2", "output": "8", "source": "contract 12"}


def set_price(world: World, **changes: str) -> HttpResponse:
    client = world.client(world.admin)
    return client.post(world.workspace_url("prices:set"), {**CONTRACT, **changes})  # type: ignore[return-value]


def test_an_admin_sets_a_price_and_the_log_says_so(world: World) -> None:
    assert set_price(world).status_code == 302
    price = Price.objects.get(workspace=world.workspace)
    assert (price.model, price.provider, price.input, price.made_by) == ("gpt-4o", "openai", 2, world.admin)
    event = Event.objects.get(type=PriceSet.type)
    assert event.data["name"] == "gpt-4o"
    page = world.client(world.viewer).get(world.workspace_url("prices:list")).content.decode()
    assert "contract 12" in page
    assert "Set a price of your own" not in page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": "-1"}, "greater than or equal to 0"),
        ({"input": "much"}, "Enter a number"),
        ({"source": ""}, "This field is required"),
        ({"valid_from": "2026-02-01", "valid_until": "2026-02-01"}, "must end after it begins"),
    ],
)
def test_it_says_what_is_wrong_with_a_price(world: World, change: dict[str, str], says: str) -> None:
    response = set_price(world, **change)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert not Price.objects.exists()


def test_two_prices_may_follow_one_another_but_not_overlap(world: World) -> None:
    assert set_price(world, valid_until="2026-03-01").status_code == 302
    assert set_price(world, valid_from="2026-03-01").status_code == 302
    response = set_price(world, valid_from="2026-02-01", valid_until="2026-04-01")
    assert response.status_code == 409
    assert "on the same days" in response.content.decode()
    assert Price.objects.count() == 2


def test_an_own_price_can_be_removed(world: World) -> None:
    set_price(world)
    price = Price.objects.get()
    url = world.workspace_url("prices:remove", price.pk)
    assert world.client(world.curator).post(url).status_code == 403
    assert world.client(world.admin).post(url).status_code == 302
    assert not Price.objects.exists()


def test_a_price_of_another_workspace_cannot_be_removed(world: World) -> None:
    other = Price.objects.create(workspace=world.elsewhere, model="m", input=1, output=1, source="x")
    url = world.workspace_url("prices:remove", other.pk)
    assert world.client(world.admin).post(url).status_code == 404
    assert Price.objects.filter(pk=other.pk).exists()


def test_the_list_can_be_searched_and_says_when_nothing_is_found(world: World) -> None:
    client = world.client(world.viewer)
    url = world.workspace_url("prices:list")
    assert "claude-sonnet-4-6" in client.get(url, {"q": "sonnet"}).content.decode()
    assert "No model of that name" in client.get(url, {"q": "<script>"}).content.decode()


def test_costs_are_computed_anew_in_a_job(world: World) -> None:
    response = world.client(world.admin).post(world.workspace_url("prices:recompute"))
    assert response.status_code == 302
    assert Job.objects.get().entry == "apps.prices.jobs.recompute_costs"
