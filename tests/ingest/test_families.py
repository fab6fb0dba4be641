from __future__ import annotations

import itertools

import pytest

from apps.traces.models import Introduction, Kind, Session, Span
from slmhub.formats.records import Record, SpanKind, Usage
from tests.ingest.test_completion import at, span, take
from tests.traces.calls import PROMPT, TOOLS, asks_tool, says, tool_says, user
from tests.world import World

WRAPPER = span("outer", started_at=at(0), usage=Usage(input=10, output=2), cost=0.5, messages=[user("hi")])
STEP = span("step", kind=SpanKind.CHAIN, parent_id="outer", started_at=at(1))
INNER = span("inner", parent_id="step", started_at=at(2), usage=Usage(input=10, output=2), cost=0.5,
             messages=[user("hi")])  # fmt: skip


class TestDoubleCount:
    @pytest.mark.parametrize("order", itertools.permutations([WRAPPER, STEP, INNER]))
    def test_only_the_innermost_model_span_is_a_call(self, world: World, order: tuple[Record, ...]) -> None:
        for one in order:
            take(world, one)
        outer, inner = Span.objects.get(span_id="outer"), Span.objects.get(span_id="inner")
        assert (outer.kind, outer.issues) == (Kind.CHAIN, ["wraps_model_call"])
        assert (outer.input_tokens, outer.cost) == (None, None)
        assert outer.attributes["usage_reported"] == {"input": 10, "output": 2, "cost": 0.5}
        assert (inner.kind, inner.input_tokens, inner.cost) == (Kind.LLM, 10, 0.5)
        assert list(Introduction.objects.values_list("span", flat=True)) == [inner.pk]

    def test_a_part_that_comes_later_does_not_make_it_a_call_again(self, world: World) -> None:
        take(world, WRAPPER, STEP, INNER)
        take(world, span("outer", model="m", usage=Usage(reasoning=1)))
        outer = Span.objects.get(span_id="outer")
        assert (outer.kind, outer.model, outer.reasoning_tokens) == (Kind.CHAIN, "m", None)
        assert outer.attributes["usage_reported"]["reasoning"] == 1

    def test_an_agent_keeps_its_tokens_to_itself(self, world: World) -> None:
        take(world, span("a", kind=SpanKind.AGENT, started_at=at(0), usage=Usage(input=99), cost=3.0))
        row = Span.objects.get()
        assert (row.input_tokens, row.cost) == (None, None)
        assert row.attributes["usage_reported"] == {"input": 99, "cost": 3.0}

    def test_spans_that_are_their_own_ancestors_end_the_walk(self, world: World) -> None:
        take(world, span("a", parent_id="b", started_at=at(0)), span("b", parent_id="a", started_at=at(1)))
        take(world, span("c", parent_id="c", started_at=at(1)))
        assert Span.objects.count() == 3

    def test_an_embedding_inside_a_call_leaves_it_a_call(self, world: World) -> None:
        take(world, WRAPPER, span("e", kind=SpanKind.EMBEDDING, parent_id="outer", usage=Usage(input=3)))
        assert Span.objects.calls().count() == 1
        assert Span.objects.get(span_id="e").input_tokens == 3


class TestTraceFacts:
    @pytest.mark.parametrize("root_first", [True, False])
    def test_the_session_of_one_span_counts_for_its_trace(self, world: World, root_first: bool) -> None:
        root = span("root", kind=SpanKind.CHAIN, session="s", user="ann", started_at=at(0),
                    attributes={"outcome": "success"})  # fmt: skip
        calls = [
            span(str(n), parent_id="root", started_at=at(n + 1), messages=[PROMPT, user(str(n))])
            for n in (0, 1)
        ]
        for batch in ([root], calls) if root_first else (calls, [root]):
            take(world, *batch)
        session = Session.objects.get()
        assert (session.external_id, session.user, session.outcome) == ("s", "ann", "success")
        assert session.started_at == at(0)
        rows = list(Span.objects.calls().order_by("started_at"))
        assert {row.session_id for row in rows} == {session.pk}
        assert [row.new_from for row in rows] == [0, 1]

    @pytest.mark.parametrize("order", itertools.permutations(range(3)))
    def test_the_roots_session_comes_before_another_spans(self, world: World, order: tuple[int, ...]) -> None:
        spans = [
            span("root", kind=SpanKind.CHAIN, session="of the root", started_at=at(5)),
            span("other", parent_id="root", session="of another", started_at=at(1)),
            span("none", parent_id="root", started_at=at(2)),
        ]
        for index in order:
            take(world, spans[index])
        rows = dict(Span.objects.values_list("span_id", "session__external_id"))
        assert rows == {"root": "of the root", "other": "of another", "none": "of the root"}

    def test_traces_of_other_agents_keep_apart(self, world: World) -> None:
        from apps.ingest.services import ingest
        from apps.team.services import create_agent
        from apps.traces.models import Source

        other = create_agent(workspace=world.workspace, name="Other", actor=world.owner)
        ingest(agent=other, records=[span("x", session="theirs", started_at=at(0))], source=Source.OTLP)
        take(world, span("y", started_at=at(1)))
        assert Span.objects.get(span_id="y").session is None


class TestSpansThatAreNoCalls:
    def test_a_tool_span_keeps_what_went_in_and_came_out(self, world: World) -> None:
        asked = asks_tool({"mail": "bob@acme.org"})
        tool = span("t", kind=SpanKind.TOOL, started_at=at(0), session="s", messages=[asked], tools=TOOLS)
        tool.output = tool_says("sent to bob@acme.org")
        take(world, tool)
        take(world, span("c", started_at=at(1), session="s", messages=[asked], output=says("ok")))
        step, call = Span.objects.order_by("started_at")
        assert step.output_preview == "sent to [EMAIL_1]"
        # What a tool span shows is still new in the call: only calls introduce.
        assert (step.new_from, call.new_from) == (0, 0)
        assert Span.objects.calls().count() == 1
