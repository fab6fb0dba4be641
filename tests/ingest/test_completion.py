from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings as configured
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contents.models import ContentKind
from apps.events.models import Event
from apps.ingest.events import TracesIngested
from apps.ingest.services import IngestSummary, ingest
from apps.prices.services import set_price
from apps.traces.models import Audience, Introduction, Kind, Session, Source, Span, Status
from apps.traces.selectors import messages_of_many
from slmhub.formats import signature
from slmhub.formats.records import Record, SpanKind, Usage
from tests.traces.calls import PROMPT, TOOLS, asks_tool, says, tool_says, user
from tests.world import World

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUESTION, ANSWER = user("Where is order A-1043?"), says("It was sent.")


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def nanoseconds(second: float) -> int:
    return int(at(second).timestamp() * 1e9)


def span(span_id: str, **fields: Any) -> Record:
    given: dict[str, Any] = {"kind": SpanKind.LLM, "name": "chat", "trace_id": "t1", "format": "otel_genai"}
    return Record(span_id=span_id, **{**given, **fields})


def part(span_id: str, **fields: Any) -> Record:
    return span(span_id, **{"partial": True, "name": "", "kind": SpanKind.OTHER, **fields})


def said(span_id: str, *messages: tuple[float, dict[str, Any]], **fields: Any) -> Record:
    """Log events of a span: messages that arrive one by one."""
    times = [nanoseconds(second) for second, _ in messages]
    return part(span_id, messages=[message for _, message in messages], message_times=times, **fields)


def take(world: World, *records: Record, **more: Any) -> IngestSummary:
    return ingest(agent=world.agent, records=list(records), source=Source.OTLP, **more)


def counts(summary: IngestSummary) -> tuple[int, int, int, int]:
    return summary.accepted, summary.completed, summary.duplicate, summary.rejected


def texts(one: Span) -> list[Any]:
    return [message["content"] for message in messages_of_many([one])[one.pk].messages]


class TestCompletion:
    def test_a_late_part_fills_what_is_absent(self, world: World) -> None:
        take(world, span("a", started_at=at(0), model="m", usage=Usage(input=7)))
        late = part(
            "a", messages=[PROMPT, QUESTION], output=ANSWER, tools=TOOLS, usage=Usage(input=9, output=2)
        )
        assert counts(take(world, late)) == (0, 1, 0, 0)
        row = Span.objects.get()
        assert (row.kind, row.name, row.model, row.partial) == (Kind.LLM, "chat", "m", False)
        assert (row.input_tokens, row.output_tokens) == (7, 2)
        assert (row.action, row.previous, row.audience) == ("respond", "user", Audience.HUMAN)
        assert (row.input_preview, row.output_preview) == (QUESTION["content"], ANSWER["content"])
        assert row.routing_key == signature.routing_signature([PROMPT, QUESTION], TOOLS)
        assert Introduction.objects.filter(span=row).count() == 3

    def test_the_span_itself_beats_its_parts_whichever_comes_first(self, world: World) -> None:
        whole, hint = (
            span("a", started_at=at(0), model="gpt-4o-2024"),
            part("a", model="gpt-4o", provider="openai"),
        )
        take(world, hint)
        assert Span.objects.get().partial
        assert counts(take(world, whole)) == (0, 1, 0, 0)
        row = Span.objects.get()
        assert (row.model, row.provider, row.partial, row.started_at) == (
            "gpt-4o-2024",
            "openai",
            False,
            at(0),
        )

    def test_the_later_revision_stands(self, world: World) -> None:
        second = span("a", name="second", output=says("late"), revised_at=at(2))
        first = span("a", name="first", output=says("early"), started_at=at(0), revised_at=at(1))
        take(world, second)
        take(world, first)
        row = Span.objects.get()
        assert (row.name, row.output_preview, row.revised_at) == ("second", "late", at(2))

    def test_messages_that_come_one_by_one_stand_in_the_order_of_their_times(self, world: World) -> None:
        take(world, said("a", (3, QUESTION)))
        take(world, span("a", started_at=at(0)))
        take(world, said("a", (1, PROMPT), output=ANSWER))
        take(world, said("a", (2, user("Hello")), (3, QUESTION)))
        row = Span.objects.get()
        assert texts(row) == [PROMPT["content"], "Hello", QUESTION["content"]]
        assert row.routing_key == signature.routing_signature([PROMPT, QUESTION], [])
        assert row.input_preview == QUESTION["content"]

    def test_tools_that_come_after_the_messages_change_the_routing_key(self, world: World) -> None:
        take(world, span("a", started_at=at(0), messages=[PROMPT, QUESTION], output=ANSWER))
        take(world, part("a", tools=TOOLS))
        assert Span.objects.get().routing_key == signature.routing_signature([PROMPT, QUESTION], TOOLS)

    def test_start_and_end_from_different_parts_give_the_latency(self, world: World) -> None:
        take(world, part("a", ended_at=at(3)))
        take(world, part("a", started_at=at(1)))
        row = Span.objects.get()
        assert (row.started_at, row.latency_ms) == (at(1), 2000.0)

    def test_a_late_error_makes_a_failed_call(self, world: World) -> None:
        take(world, span("a", started_at=at(0)))
        take(world, part("a", error="no access for bob@acme.org"))
        row = Span.objects.get()
        assert (row.status, row.error) == (Status.ERROR, "no access for [EMAIL_1]")

    def test_what_was_delivered_before_is_a_duplicate_also_after_other_parts(self, world: World) -> None:
        parts = [part("a", model="m"), span("a", started_at=at(0)), said("a", (1, QUESTION))]
        take(world, *parts)
        before = snapshot()
        assert counts(take(world, *parts, *parts)) == (0, 0, 6, 0)
        assert snapshot() == before

    def test_a_part_that_says_nothing_new_is_a_duplicate(self, world: World) -> None:
        take(world, span("a", started_at=at(0), model="m", messages=[QUESTION]))
        assert counts(take(world, part("a", model="m"), part("a", messages=[QUESTION]))) == (0, 0, 2, 0)

    def test_long_attributes_of_several_parts_stand_together(self, world: World) -> None:
        take(world, span("a", started_at=at(0), attributes={"one": "x " * 20_000, "short": 1}))
        take(world, part("a", attributes={"two": "y " * 20_000, "other": 2}))
        row = Span.objects.get()
        assert row.details is not None
        assert row.attributes == {"short": 1, "other": 2}
        assert row.details.kind == ContentKind.DETAILS
        assert row.details.body == {"one": "x " * 20_000, "two": "y " * 20_000}

    def test_an_earlier_call_that_comes_late_introduces_what_it_shows(self, world: World) -> None:
        first = span("a", started_at=at(0), session="s", messages=[PROMPT, QUESTION], output=ANSWER)
        then = span("b", started_at=at(1), session="s", messages=[PROMPT, QUESTION, ANSWER, user("Thanks")])
        take(world, then)
        take(world, first)
        rows = {row.span_id: row for row in Span.objects.all()}
        assert (rows["a"].new_from, rows["b"].new_from) == (0, 3)
        assert Introduction.objects.filter(span=rows["a"]).count() == 3
        assert Introduction.objects.filter(span=rows["b"]).count() == 1

    def test_a_span_of_another_agent_is_not_completed(self, world: World) -> None:
        from apps.team.services import create_agent

        take(world, span("a", started_at=at(0)))
        other = create_agent(workspace=world.workspace, name="Other", actor=world.owner)
        rejects = StringIO()
        summary = ingest(agent=other, records=[part("a", model="m")], source=Source.OTLP, rejects=rejects)
        assert counts(summary) == (0, 0, 0, 1)
        assert "for another agent" in rejects.getvalue()
        assert Span.objects.get().model == ""

    def test_a_completion_is_told(self, world: World) -> None:
        take(world, span("a", started_at=at(0)))
        take(world, part("a", model="m"))
        event = Event.objects.filter(type=TracesIngested.type).latest("number")
        assert event.data == {"accepted": 1, "completed": 1, "source": "otlp"}

    def test_a_computed_cost_follows_the_tokens_and_gives_way_to_a_given_one(self, world: World) -> None:
        values = {"model": "m", "input": 1e6, "output": 0.0, "source": "test"}
        set_price(workspace=world.workspace, actor=world.admin, **values)
        take(world, span("a", started_at=at(0), model="m"))
        take(world, part("a", usage=Usage(input=3, output=1)))
        row = Span.objects.get()
        assert (row.cost, row.cost_computed) == (pytest.approx(3.0), True)
        assert counts(take(world, part("a", model="m"))) == (0, 0, 1, 0)
        take(world, part("a", cost=0.25))
        row = Span.objects.get()
        assert (row.cost, row.cost_computed) == (0.25, False)

    def test_more_messages_than_a_row_holds_are_refused_and_the_rest_stays(self, world: World) -> None:
        many = [(float(n), user(str(n))) for n in range(20_000)]
        take(world, said("a", *many))
        late = said("a", *[(n + 50_000.0, message) for n, message in many], model="m")
        assert counts(take(world, late)) == (0, 0, 0, 1)
        row = Span.objects.get()
        assert (len(row.message_ids), row.model) == (20_000, "")


SMALL_WORLD = [
    span("root", kind=SpanKind.AGENT, name="run", session="s1", user="ann", started_at=at(0), ended_at=at(9),
         latency_ms=9000.0, usage=Usage(input=30), attributes={"b": 1, "a": {"x": [1, 2]}}),
    # Log events and their span.
    span("logged", parent_id="root", started_at=at(1), latency_ms=5.0, model="m1", usage=Usage(input=10)),
    said("logged", (1.1, PROMPT)),
    said("logged", (1.2, QUESTION), (1.3, asks_tool({"order": "A-1043"}))),
    said("logged", (1.4, tool_says("sent")), output=ANSWER, attributes={"c": "from the log"}),
    # Create and updates.
    span("revised", parent_id="root", name="one", started_at=at(2), model="m1", revised_at=at(2),
         messages=[PROMPT, QUESTION, ANSWER], parameters={"temperature": 1}, tags=["x"]),
    span("revised", parent_id="root", name="two", model="m2", ended_at=at(5), revised_at=at(5), output=ANSWER,
         usage=Usage(output=3), tags=["y", "x"]),
    span("revised", name="three", revised_at=at(4), output=says("draft"), parameters={"temperature": 0},
         attributes={"late": True}, usage=Usage(input=5, output=1), cost=0.5),
    # A wrapper whose own session differs, its inner call in two parts, a tool.
    span("wrapper", parent_id="root", started_at=at(3), messages=[QUESTION], output=ANSWER,
         usage=Usage(input=10, output=2), cost=0.1),
    span("step", kind=SpanKind.CHAIN, name="step", parent_id="wrapper", started_at=at(3.1)),
    part("inner", usage=Usage(input=10, output=2), kind=SpanKind.LLM),
    span("inner", parent_id="step", started_at=at(3.2), messages=[PROMPT, QUESTION, ANSWER, user("More")],
         output=says("Done"), session="s2"),
    span("tool", kind=SpanKind.TOOL, name="lookup", parent_id="root", started_at=at(4),
         messages=[asks_tool({"order": "1"})], output=tool_says("sent"), error="broken"),
]  # fmt: skip

_HIDDEN = {"id", "created_at", "parts", "delivered", "session_id", "emitter_id", "tools_id", "output_id",
           "details_id", "message_ids"}  # fmt: skip


def snapshot() -> dict[str, Any]:
    """Everything that the rows say, without ids that count arrivals."""
    rows = list(Span.objects.select_related("session", "emitter").order_by("trace_id", "span_id"))
    contents = messages_of_many(rows)
    spans = []
    for row in rows:
        content, introduced = contents[row.pk], Introduction.objects.filter(span=row)
        spans.append(
            {
                **{
                    field.attname: getattr(row, field.attname)
                    for field in Span._meta.concrete_fields
                    if field.attname not in _HIDDEN
                },
                "content": (content.messages, content.tools, content.output),
                "session": row.session and row.session.external_id,
                "emitter": row.emitter and row.emitter.name,
                "introduced": sorted(introduced.values_list("position", "content__text")),
            }
        )
    sessions = sorted(Session.objects.values_list("external_id", "started_at", "user", "outcome"))
    return {"spans": spans, "sessions": sessions}


@pytest.mark.django_db
class TestAnyOrder:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        order=st.permutations(range(len(SMALL_WORLD))),
        cuts=st.sets(st.integers(1, len(SMALL_WORLD) - 1), max_size=8),
        again=st.lists(st.integers(0, len(SMALL_WORLD) - 1), max_size=4),
    )
    def test_any_order_over_any_number_of_batches_gives_the_same_rows(
        self, world: World, order: list[int], cuts: set[int], again: list[int]
    ) -> None:
        with transaction.atomic():
            take(world, *SMALL_WORLD)
            expected = snapshot()
            transaction.set_rollback(True)
        with transaction.atomic():
            edges = [0, *sorted(cuts), len(order)]
            for start, end in pairwise(edges):
                take(world, *(SMALL_WORLD[index] for index in order[start:end]))
            take(world, *(SMALL_WORLD[index] for index in again))
            found = snapshot()
            transaction.set_rollback(True)
        for one, other in zip(found["spans"], expected["spans"], strict=True):
            assert one == other
        assert found["sessions"] == expected["sessions"]


HALF = """
import sys
from apps.accounts.models import Agent
from tests.ingest.test_completion import ingest, part, said, says, span, at, user, Source
half = [
    span(f"s{n}", started_at=at(n), session=f"x{n % 7}", model="m") if side else
    said(f"s{n}", (n, user(f"question {n} of person{n}@acme.org")), output=says("ok"))
    for n in range(300)
]
for start in range(0, 300, 20):
    ingest(agent=Agent.objects.get(), records=half[start:start + 20], source=Source.OTLP)
"""
COUNTS = """
from apps.traces.models import Emitter, Introduction, Span
from django.db.models import Sum
whole = Span.objects.filter(model="m", partial=False, action="respond", session__isnull=False)
sums = Emitter.objects.aggregate(a=Sum("accepted"), c=Sum("completed"))
print([Span.objects.count(), whole.count(), sums["a"], sums["c"], Introduction.objects.count()])
"""


@pytest.mark.slow
@pytest.mark.production
class TestConcurrently:
    def test_two_writers_with_the_halves_of_spans_lose_none(
        self, tmp_path: Path, elsewhere: dict[str, str]
    ) -> None:
        def shell(code: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
            return subprocess.Popen(command, env=elsewhere, cwd=configured.BASE_DIR, stdout=subprocess.PIPE)

        migrate = [sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"]
        subprocess.run(migrate, env=elsewhere, cwd=configured.BASE_DIR, check=True, timeout=240)
        made = "from tests.world import World; World.build()"
        assert shell(made).wait(timeout=120) == 0
        both = [shell(f"side = {side}{HALF}") for side in (0, 1)]
        assert [process.wait(timeout=240) for process in both] == [0, 0]
        counted, _ = shell(COUNTS).communicate(timeout=120)
        # Seven sessions share the answer "ok": each has it introduced once, and each question.
        assert orjson.loads(counted.splitlines()[-1]) == [300, 300, 300, 300, 307]
