"""Costs computed anew after a price has changed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.jobs.models import Job, State
from apps.prices import services
from apps.traces.models import Kind, Span
from tests.traces.calls import PROMPT, row, says, taken_in, user
from tests.world import World

ASKED = [PROMPT, user("hi")]


def call(id: str, **fields: Any) -> dict[str, Any]:
    return row(id, ASKED, says("hello"), request={"model": "gpt-4o"}, **fields)


def set_price(world: World, **values: Any) -> None:
    given = {"model": "gpt-4o", "input": 1_000_000.0, "output": 0.0, "source": "test"}
    services.set_price(workspace=world.workspace, actor=world.admin, **{**given, **values})


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_new_prices_reach_stored_calls_but_not_what_an_emitter_said(world: World) -> None:
    taken_in(world.agent, [call("a"), call("b", cost=0.5)])
    set_price(world)
    services.recompute(workspace=world.workspace, actor=world.admin)
    world.run_jobs()
    assert Job.objects.get().state == State.SUCCEEDED
    costs = dict(Span.objects.values_list("span_id", "cost"))
    assert costs == {"a": pytest.approx(10.0), "b": 0.5}
    assert dict(Span.objects.values_list("span_id", "cost_computed")) == {"a": True, "b": False}


@pytest.mark.django_db
def test_a_call_is_priced_when_it_comes_in(world: World) -> None:
    set_price(world)
    taken_in(world.agent, [call("a")])
    span = Span.objects.get()
    assert (span.cost, span.cost_computed) == (pytest.approx(10.0), True)


@pytest.mark.django_db
def test_a_call_of_an_unknown_model_has_no_cost(world: World) -> None:
    taken_in(world.agent, [row("a", ASKED, says("x"), request={"model": "house-model-7"})])
    span = Span.objects.get()
    assert (span.cost, span.cost_computed) == (None, False)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_only_calls_and_embeddings_are_priced(world: World) -> None:
    taken_in(world.agent, [call("a")])
    Span.objects.update(kind=Kind.CHAIN, cost=None)
    set_price(world)
    services.recompute(workspace=world.workspace, actor=world.admin)
    world.run_jobs()
    assert Job.objects.get().result == {"changed": 0}
