"""What a call costs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from apps.prices.book import PriceBook, Rates, names_of, shipped
from apps.prices.models import Price
from slmhub.formats import Usage
from tests.world import World

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RATES = Rates("openai", "m", input=2, output=10, cached_input=0.5, cache_write=4, reasoning=20)


def test_every_token_is_charged_once() -> None:
    usage = Usage(
        input=1_000_000, cached_input=400_000, cache_write=100_000, output=300_000, reasoning=200_000
    )
    assert RATES.cost(usage) == pytest.approx(0.5 * 2 + 0.4 * 0.5 + 0.1 * 4 + 0.1 * 10 + 0.2 * 20)


def test_an_empty_rate_is_charged_like_the_one_it_is_part_of() -> None:
    plain = Rates("openai", "m", input=2, output=10)
    usage = Usage(input=1_000_000, cached_input=900_000, output=100_000, reasoning=50_000)
    assert plain.cost(usage) == pytest.approx(2 + 1)


def test_more_cached_than_input_is_not_charged_twice() -> None:
    assert RATES.cost(Usage(input=100, cached_input=500, cache_write=500, output=0)) == pytest.approx(50e-6)


def test_a_batch_has_its_own_price_where_there_is_one() -> None:
    rates = Rates("openai", "m", input=2, output=10, batch_input=1, batch_output=5)
    usage = Usage(input=1_000_000, output=1_000_000)
    assert rates.cost(usage, batch=True) == pytest.approx(6)
    assert RATES.cost(Usage(input=10, output=0), batch=True) == pytest.approx(20e-6)


@pytest.mark.parametrize("usage", [Usage(), Usage(output=5), Usage(input=5)])
def test_unknown_tokens_have_no_cost(usage: Usage) -> None:
    assert RATES.cost(usage) is None


def test_a_model_without_output_price_needs_no_output() -> None:
    assert Rates("openai", "e", input=0.02, output=0).cost(Usage(input=1_000_000)) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("given", "plainest"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4"),
        ("claude-opus-4@20250514", "claude-opus-4"),
        ("Gemini-2.0-Flash-001", "gemini-2.0-flash"),
    ],
)
def test_it_knows_a_model_by_its_plainer_names(given: str, plainest: str) -> None:
    assert names_of(given)[0] == given.lower()
    assert names_of(given)[-1] == plainest


def test_the_shipped_list_is_whole() -> None:
    rates = [one for book in shipped().values() for one in book]
    assert len(rates) > 400
    assert all(one.source and one.input >= 0 and one.output >= 0 for one in rates)
    for book in shipped().values():
        for one in book:
            others = [o for o in book if o is not one and o.provider == one.provider]
            day = one.valid_from or date(2020, 1, 1)
            assert not any(other.holds(day) for other in others), one


@pytest.mark.django_db
class TestPriceBook:
    def test_a_price_holds_on_its_days(self, world: World) -> None:
        book = PriceBook(world.workspace)
        usage = Usage(input=1_000_000, output=0)

        def cost(day: datetime) -> float | None:
            return book.cost_of(provider="openai", model="o3-2025-04-16", at=day, usage=usage)

        assert cost(datetime(2025, 5, 1, tzinfo=UTC)) != cost(NOON)
        assert book.rates_for(provider="openai", model="o3", day=date(2025, 6, 9)).input == 10  # type: ignore[union-attr]
        assert book.rates_for(provider="openai", model="o3", day=date(2025, 6, 10)).input == 2  # type: ignore[union-attr]

    def test_an_own_price_stands_before_the_list(self, world: World) -> None:
        Price.objects.create(workspace=world.workspace, model="gpt-4o", input=1, output=1, source="contract")
        book = PriceBook(world.workspace)
        usage = Usage(input=1_000_000, output=1_000_000)
        assert book.cost_of(provider="openai", model="gpt-4o", at=NOON, usage=usage) == pytest.approx(2)

    def test_an_own_price_of_another_workspace_does_not_count(self, world: World) -> None:
        Price.objects.create(workspace=world.elsewhere, model="gpt-4o", input=1, output=1, source="x")
        rates = PriceBook(world.workspace).rates_for(provider="openai", model="gpt-4o", day=NOON.date())
        assert rates is not None
        assert not rates.own

    def test_what_nobody_knows_has_no_cost(self, world: World) -> None:
        usage = Usage(input=10, output=10)
        book = PriceBook(world.workspace)
        assert book.cost_of(provider="openai", model="our-own-model", at=NOON, usage=usage) is None

    def test_a_model_on_ones_own_machine_has_no_list_price(self, world: World) -> None:
        book = PriceBook(world.workspace)
        assert book.rates_for(provider="ollama", model="gpt-4o", day=NOON.date()) is None
        assert book.rates_for(provider="azure", model="gpt-4o", day=NOON.date()) is not None

    def test_it_asks_the_database_once(self, world: World, django_assert_num_queries: object) -> None:
        with django_assert_num_queries(1):  # type: ignore[operator]
            book = PriceBook(world.workspace)
            for _ in range(3):
                book.cost_of(provider="openai", model="gpt-4o", at=NOON, usage=Usage(input=1, output=1))
