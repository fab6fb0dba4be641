"""The parts of a span in any order of requests make the same row; sent again they change nothing."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import orjson
import pytest

from apps.contents.models import Content
from apps.traces.models import Introduction, Session, Span
from tests.intake.exports import logs, traces
from tests.intake.sender import Sender
from tests.intake.test_platforms import AT, JSON, generation, run

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
LATER = "2026-01-05T10:00:02.000Z"
Request = tuple[str, bytes, str]


def langfuse() -> list[Request]:
    """A generation is created, updated and judged, and its trace described: four requests."""
    begun = generation("g1", output=None)
    ended = {
        "id": "g1",
        "traceId": "t1",
        "endTime": LATER,
        "output": {"role": "assistant", "content": "Sent."},
    }
    score = {"id": "s1", "traceId": "t1", "observationId": "g1", "name": "kind", "value": 1}
    trace = {"id": "t1", "name": "desk", "sessionId": "s-1", "userId": "u-1"}
    events = [
        begun,
        {"id": "e2", "timestamp": LATER, "type": "generation-update", "body": ended},
        {"id": "e3", "timestamp": LATER, "type": "score-create", "body": score},
        {"id": "e4", "timestamp": AT, "type": "trace-create", "body": trace},
    ]
    return [("/api/public/ingestion", orjson.dumps({"batch": [event]}), JSON) for event in events]


def langsmith() -> list[Request]:
    whole = run(id="01a208da-88b6-7cca-9a11-06eb16575826", trace_id="01a208da-88b6-7cca-9a11-06eb16575826")
    whole["dotted_order"] = f"20260105T100000000000Z{whole['id']}"
    ended = {key: whole[key] for key in ("id", "trace_id", "dotted_order", "outputs")} | {"end_time": LATER}
    begun = {key: value for key, value in whole.items() if key not in ("outputs", "end_time")}
    return [
        ("/runs/batch", orjson.dumps({"post": [begun]}), JSON),
        ("/runs/batch", orjson.dumps({"patch": [ended]}), JSON),
    ]


def otlp() -> list[Request]:
    one = b"\xaa" * 8
    protobuf = "application/x-protobuf"
    event = ("gen_ai.user.message", {"content": "Where is A-1?", "role": "user"})
    return [("/v1/traces", traces([one]), protobuf), ("/v1/logs", logs(one, event), protobuf)]


def send(sender: Sender, requests: Any) -> None:
    for path, body, type in requests:
        assert sender.post(body, path=path, content_type=type).status_code in (200, 202, 207)
        sender.stored()


def shown() -> list[dict[str, Any]]:
    hidden = {
        "id",
        "pk",
        "created_at",
        "delivered",
        "parts",
        "session_id",
        "output_id",
        "tools_id",
        "emitter_id",
    }
    rows = []
    for span in Span.objects.select_related("session", "output").order_by("trace_id", "span_id"):
        values = Span.objects.filter(pk=span.pk).values().get()
        row = {
            key: value for key, value in values.items() if key not in {*hidden, "message_ids", "details_id"}
        }
        said = Content.objects.in_bulk(span.message_ids)
        row["messages"] = [said[pk].body for pk in span.message_ids]
        row["answer"] = span.output.body if span.output else None
        row["session"] = span.session.external_id if span.session else None
        rows.append(row)
    return rows


@pytest.mark.parametrize("requests", [langfuse(), langsmith(), otlp()], ids=["langfuse", "langsmith", "otlp"])
def test_every_order_of_requests_gives_the_same_rows(sender: Sender, requests: list[Request]) -> None:
    found = []
    for order in permutations(requests):
        Span.objects.all().delete()
        Session.objects.all().delete()
        send(sender, order)
        found.append(shown())
    calls = [row for row in found[0] if row["kind"] == "llm"]
    assert len(calls) == 1
    assert calls[0]["messages"]
    assert calls[0]["answer"]
    assert calls[0]["partial"] is False
    assert all(rows == found[0] for rows in found)


@pytest.mark.parametrize("requests", [langfuse(), langsmith(), otlp()], ids=["langfuse", "langsmith", "otlp"])
def test_a_redelivery_of_every_part_changes_no_row(sender: Sender, requests: list[Request]) -> None:
    send(sender, requests)
    tables = (Span, Session, Content, Introduction)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    send(sender, reversed(requests))
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before
