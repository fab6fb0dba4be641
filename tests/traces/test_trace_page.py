"""A trace as a tree, whatever is missing in it; spans that are no calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.traces.models import Kind, Span
from apps.traces.tree import ordered, trace_of
from tests.world import World

START = timezone.now() - timedelta(hours=1)


def span(world: World, span_id: str, parent: str = "", **fields: Any) -> Span:
    given = {"kind": Kind.CHAIN, "name": span_id, "latency_ms": 1000.0, "started_at": START}
    return Span.objects.create(
        workspace=world.workspace,
        agent=world.agent,
        trace_id="t",
        span_id=span_id,
        parent_id=parent,
        **{**given, **fields},
    )


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 12), max_size=10))
def test_every_span_stands_in_the_tree_once_even_in_a_circle(parents: dict[int, int]) -> None:
    spans = [Span(span_id=str(one), parent_id=str(parent)) for one, parent in parents.items()]
    listed = [span.span_id for span, _ in ordered(spans)]
    assert sorted(listed) == sorted(span.span_id for span in spans)


@pytest.mark.django_db
class TestTrace:
    def test_parents_stand_before_their_children(self, world: World) -> None:
        span(world, "child", "root", started_at=START)
        span(world, "root", started_at=START + timedelta(seconds=1))
        span(world, "orphan", "never came")
        found = [(node.span.span_id, node.depth) for node in trace_of(world.agent, "t").nodes]
        assert found == [("orphan", 0), ("root", 0), ("child", 1)]

    def test_tokens_and_cost_are_those_of_the_calls(self, world: World) -> None:
        span(world, "agent", kind=Kind.AGENT, input_tokens=100, output_tokens=10, cost=9.0)
        span(world, "call", "agent", kind=Kind.LLM, input_tokens=100, output_tokens=10, cost=0.5)
        trace = trace_of(world.agent, "t")
        assert (trace.calls, trace.tokens, trace.cost) == (1, 110, 0.5)

    def test_the_page_takes_one_query_for_the_spans(
        self, world: World, django_assert_max_num_queries: Any
    ) -> None:
        first = span(world, "root")
        for number in range(30):
            span(world, f"child-{number}", "root")
        client = world.client(world.viewer)
        url = world.url("traces:trace", first.pk)
        client.get(url)
        with django_assert_max_num_queries(12):
            page = client.get(url).content.decode()
        assert "child-29" in page

    def test_a_span_of_another_agent_is_not_there(self, world: World) -> None:
        mine = span(world, "root")
        url = world.url("traces:trace", mine.pk)
        assert world.client(world.stranger).get(url).status_code == 404

    def test_spans_that_are_no_calls_are_listed_on_request(self, world: World) -> None:
        span(world, "agent-run", kind=Kind.AGENT)
        client = world.client(world.viewer)
        url = world.url("traces:list")
        assert "agent-run" not in client.get(url).content.decode()
        assert "agent-run" in client.get(url, {"kind": "all"}).content.decode()
        assert "agent-run" in client.get(url, {"kind": "agent"}).content.decode()
        assert "agent-run" not in client.get(url, {"kind": "tool"}).content.decode()

    def test_a_span_that_is_no_call_has_a_page(self, world: World) -> None:
        tool = span(world, "<b>look_up</b>", kind=Kind.TOOL, attributes={"raw": "<i>"}, environment="prod")
        page = world.client(world.viewer).get(world.url("traces:call", tool.pk)).content.decode()
        assert "&lt;b&gt;look_up" in page
        assert "<b>look_up" not in page
        assert "prod" in page
