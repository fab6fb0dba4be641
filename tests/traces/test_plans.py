"""What is done for each batch and each page steps to its rows: its time must not grow with the hub's.

SQLite plans without statistics, so a query that names an agent may walk through all spans of that agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.ingest.services import ingest
from apps.team.services import create_agent
from apps.traces import listing
from apps.traces.models import Source, Span
from slmhub.formats.records import Record, SpanKind
from tests.traces.calls import says, user
from tests.world import World

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="the other database keeps statistics")

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
# All rows of a table, or all of one agent or workspace.
WALK = re.compile(r"^SCAN traces_\w+$|^SCAN contents_\w+$|\((agent_id|workspace_id)=\?\)$")


@contextmanager
def walks() -> Iterator[list[str]]:
    """The plans of the queries made meanwhile that walk, as far as they bound nothing."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not many and sql.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            asked.append((sql, params))
        return execute(sql, params, many, context)

    found: list[str] = []
    with connection.execute_wrapper(note):
        yield found
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            steps = [row[3] for row in cursor.fetchall()]
            found += [f"{step}: {sql}" for step in steps if "traces_span" in sql and WALK.search(step)]


def call(place: int, **fields: Any) -> Record:
    given: dict[str, Any] = {
        "kind": SpanKind.LLM,
        "name": "chat",
        "format": "otel_genai",
        "trace_id": f"{place // 3 + 1:032x}",
        "span_id": f"{place + 1:016x}",
        "session": f"s{place // 3}",
        "started_at": NOW + timedelta(seconds=place),
        "messages": [user(f"Question {place}")],
        "output": says("Yes."),
    }
    return Record(**{**given, **fields})


def test_a_batch_walks_through_nothing_however_it_completes_the_last(world: World) -> None:
    first = [call(place, parent_id="") for place in range(12)]
    ingest(agent=world.agent, records=first, source=Source.OTLP)
    late = [
        *(call(place, session=None, model="late", partial=True) for place in range(6)),
        call(40, trace_id=first[0].trace_id, parent_id=first[0].span_id),
        call(41, session=None, trace_id=first[3].trace_id, parent_id=first[4].span_id),
        *first,
    ]
    with walks() as found:
        summary = ingest(agent=world.agent, records=late, source=Source.OTLP)
    assert (summary.completed, summary.accepted, summary.duplicate) == (6, 2, 12)
    assert found == []


@pytest.mark.parametrize("address", ["traces:call", "traces:trace"])
def test_the_page_of_a_span_walks_through_nothing(world: World, address: str) -> None:
    ingest(agent=world.agent, records=[call(place) for place in range(12)], source=Source.OTLP)
    client = world.client(world.viewer)
    url = world.url(address, Span.objects.first().pk)
    with walks() as found:
        assert client.get(url).status_code == 200
    assert found == []


@pytest.mark.parametrize(
    ("wanted", "step"), [({"session": "s2"}, "session_id"), ({"q": "Question 7"}, "IN (")]
)
def test_a_filter_that_few_calls_pass_walks_through_nothing(
    world: World, wanted: dict[str, str], step: str
) -> None:
    ingest(agent=world.agent, records=[call(place) for place in range(12)], source=Source.OTLP)
    client = world.client(world.viewer)
    with walks() as found:
        assert "Question 7" in client.get(world.url("traces:list"), wanted).content.decode()
    # The facets beside the list are of all calls.
    assert [plan for plan in found if step in plan] == []


def test_the_calls_of_a_rare_emitter_are_not_looked_for_among_all(world: World) -> None:
    ingest(agent=world.agent, records=[call(place) for place in range(12)], source=Source.OTLP)
    rare = [call(90, emitter="rare", messages=[user("From a rare one")])]
    ingest(agent=world.agent, records=rare, source=Source.OTLP)
    emitter = Span.objects.get(span_id=rare[0].span_id).emitter_id
    client = world.client(world.viewer)
    with walks() as found:
        page = client.get(world.url("traces:list"), {"emitter": emitter}).content.decode()
    assert "From a rare one" in page
    assert "Question 7" not in page
    assert [plan for plan in found if "emitter_id" in plan.split("WHERE")[-1]] == []


@pytest.mark.parametrize("few", [0, 100])
def test_a_search_finds_the_same_among_few_and_among_many(
    world: World, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW_HITS", few)
    other = create_agent(workspace=world.workspace, name="Other", actor=world.owner)
    ingest(agent=world.agent, records=[call(place) for place in range(12)], source=Source.OTLP)
    theirs = [call(50 + place, messages=[user("Question 7")]) for place in range(2)]
    ingest(agent=other, records=theirs, source=Source.OTLP)
    found = listing.search(world.agent, {"q": "Question 7"})
    assert [span.span_id for span in found.spans] == [f"{8:016x}"]
    assert {span.agent for span in listing.search(other, {"q": "Question 7"}).spans} == {other}
