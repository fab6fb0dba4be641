"""What the doctor finds in the spans of an emitter, and which setting it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.sources.doctor import Diagnosis, diagnoses
from apps.sources.remedies import REMEDIES, Finding
from apps.traces.models import Emitter, Kind, Session, Source, Span
from slmhub.formats import Issue
from tests.world import World

pytestmark = pytest.mark.django_db


def emitter(world: World, **fields: Any) -> Emitter:
    given = {"source": Source.OTLP, "format": "openinference", "name": "openinference 1", "accepted": 1}
    return Emitter.objects.create(agent=world.agent, **{**given, **fields})


def span(source: Emitter, number: int, **fields: Any) -> Span:
    """A call that lacks nothing, but for the given fields."""
    agent = source.agent
    session, _ = Session.objects.get_or_create(agent=agent, external_id="s")
    whole: dict[str, Any] = {"kind": Kind.LLM, "message_ids": [1], "session": session, "user": "u"}
    whole |= {"input_tokens": 5, "latency_ms": 9.0}
    return Span.objects.create(
        workspace=agent.workspace,
        agent=agent,
        emitter=source,
        trace_id="t",
        span_id=f"{source.pk}-{number}",
        started_at=timezone.now() - timedelta(minutes=number),
        **{**whole, **fields},
    )


def only(world: World) -> Diagnosis:
    (found,) = diagnoses(world.agent)
    return found


def found(world: World) -> dict[Finding, int]:
    return {complaint.finding: complaint.spans for complaint in only(world).complaints}


def test_a_source_that_lacks_nothing_is_healthy(world: World) -> None:
    source = emitter(world)
    span(source, 1)
    diagnosis = only(world)
    assert (diagnosis.status, diagnosis.complaints, diagnosis.calls) == ("ok", [], 1)
    assert {share.name: share.value for share in diagnosis.shares}["messages"] == 1


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"message_ids": []}, Finding.NO_MESSAGES),
        ({"message_ids": [], "issues": [Issue.CONTENT_OFF]}, Finding.CONTENT_OFF),
        ({"input_tokens": None}, Finding.NO_USAGE),
        ({"session": None}, Finding.NO_SESSION),
        ({"user": ""}, Finding.NO_USER),
        ({"latency_ms": None}, Finding.NO_LATENCY),
        ({"action": "tool:look_up"}, Finding.NO_TOOLS),
        ({"dropped_attributes": 7}, Finding.ATTRIBUTES_DROPPED),
        ({"issues": [Issue.TRUNCATED]}, Finding.TRUNCATED),
        ({"issues": [Issue.CLOCK_SKEW]}, Finding.CLOCK_SKEW),
        ({"issues": ["clock_out_of_range"]}, Finding.CLOCK_SKEW),
        ({"issues": [Issue.ARGUMENTS_NOT_JSON]}, Finding.ARGUMENTS_NOT_JSON),
        ({"partial": True}, Finding.INCOMPLETE),
    ],
)
def test_it_names_what_is_wrong_and_the_setting(
    world: World, fields: dict[str, Any], finding: Finding
) -> None:
    span(emitter(world), 1, **fields)
    assert found(world) == {finding: 1}
    (complaint,) = only(world).complaints
    assert complaint.remedy is not None
    assert complaint.remedy.setting


def test_a_wrapper_around_a_call_is_a_suspicion_of_counting_twice(world: World) -> None:
    source = emitter(world)
    span(source, 1)
    span(source, 2, kind=Kind.CHAIN, issues=[Issue.WRAPS_MODEL_CALL])
    assert found(world) == {Finding.DOUBLE_COUNT: 1}


def test_duplicates_count_for_those_who_stream_and_not_for_files(world: World) -> None:
    streamed = emitter(world, accepted=50, duplicate=50)
    emitter(world, source=Source.UPLOAD, accepted=50, duplicate=50)
    by_source = {one.emitter.source: one.complaints for one in diagnoses(world.agent)}
    assert [complaint.finding for complaint in by_source[streamed.source]] == [Finding.DUPLICATES]
    assert by_source[Source.UPLOAD] == []


@pytest.mark.parametrize("format", ["langsmith", "langsmith_runs"])
def test_the_remedy_is_the_sdks_whichever_address_it_sends_to(world: World, format: str) -> None:
    span(emitter(world, format=format, name="langsmith-py"), 1, session=None)
    (complaint,) = only(world).complaints
    assert complaint.remedy is not None
    assert "langsmith_extra" in complaint.remedy.setting


def test_events_that_repeat_what_their_spans_say_are_no_complaint(world: World) -> None:
    emitter(world, format="otel_genai_events", accepted=13, duplicate=45)
    assert only(world).complaints == []


def test_the_remedy_follows_the_convention(world: World) -> None:
    span(emitter(world, format="vercel_ai", name="ai"), 1, session=None)
    (complaint,) = only(world).complaints
    assert complaint.remedy is not None
    assert "sessionId" in complaint.remedy.setting


def test_only_the_newest_spans_are_judged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.sources.doctor.NEWEST", 2)
    source = emitter(world)
    span(source, 1, session=None)
    span(source, 2)
    span(source, 3)
    assert only(world).status == "ok"


def test_it_asks_two_queries_more_for_no_matter_how_many_spans(
    world: World, django_assert_num_queries: Any
) -> None:
    source = emitter(world)
    for number in range(20):
        span(source, number)
    with django_assert_num_queries(2):
        diagnoses(world.agent)


def test_every_finding_but_a_rejection_has_a_setting() -> None:
    named = {finding for finding, _ in REMEDIES}
    assert set(Finding) - named == {Finding.REJECTED, Finding.NO_MESSAGES}
