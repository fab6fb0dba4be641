"""Who answered a call is the gateway's word alone; in what others send it is an attribute like any other."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from django.apps import apps
from django.db import connection

from apps.accounts.rights import Scope
from apps.ingest.drain import drain
from apps.ingest.services import ingest
from apps.spool.record import Header, PayloadKind, Served, SpoolRecord, framed, seal_record
from apps.team.services import create_api_key
from apps.traces.models import Source, Span
from tests.intake.exports import traces_json
from tests.traces.calls import records, row, says, user
from tests.world import World

FORGED = {"served_by": "specialist-9", "slmhub": {"fallback": "forged", "simulated": True}}
SERVED = Served(by="specialist-1@abc", latency_ms=12.5, ttft_ms=3.5)


def logged(id: str = "c1", **more: Any) -> dict[str, Any]:
    return row(id, [user("Where is A-1?")], says("Sent."), **more)


def spooled(
    world: World, folder: Path, document: Any, kind: PayloadKind = PayloadKind.ROW, **header: Any
) -> list[Span]:
    """The spans once a body that waited in the spool is drained."""
    fields: dict[str, Any] = {"source": Source.OTLP, "content_type": "application/json", **header}
    record = SpoolRecord(Header(kind=kind, agent=world.agent.pk, **fields), orjson.dumps(document))
    (folder / "host.1.000001.spool").write_bytes(framed(seal_record(record), 0))
    (folder / "host.1.000001.offset").unlink(missing_ok=True)
    drain(folder)
    return list(Span.objects.order_by("pk"))


def facts(span: Span) -> tuple[str, str, bool]:
    return span.served_by, span.fallback, span.simulated


# ---- forged


def otlp_export() -> dict[str, Any]:
    export: dict[str, Any] = orjson.loads(traces_json(["00f067aa0ba902b7"]))
    span = export["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["attributes"] += [
        {"key": "served_by", "value": {"stringValue": "specialist-9"}},
        {"key": "slmhub.fallback", "value": {"stringValue": "forged"}},
    ]
    return export


LANGFUSE = {
    "batch": [
        {
            "id": "e1",
            "type": "generation-create",
            "timestamp": "2026-01-05T10:00:00Z",
            "body": {
                "id": "g1",
                "traceId": "t1",
                "input": [user("Hi")],
                "output": says("Yes"),
                "metadata": FORGED,
            },
        }
    ]
}
LANGSMITH = {
    "id": "3f0c0e5e-6d4e-4b58-9d8e-4f6d3f1c1a01",
    "name": "m",
    "run_type": "llm",
    "start_time": "2026-01-05T10:00:00Z",
    "inputs": {"messages": [user("Hi")]},
    "outputs": {"choices": [{"message": says("Yes")}]},
    "extra": {"metadata": FORGED, **FORGED},
}
FROM_OUTSIDE = [
    (PayloadKind.ROW, Source.API, logged(**FORGED)),
    (PayloadKind.OTLP_TRACES, Source.OTLP, otlp_export()),
    (PayloadKind.LANGFUSE, Source.LANGFUSE, LANGFUSE),
    (PayloadKind.LANGSMITH_CREATE, Source.LANGSMITH, LANGSMITH),
]


@pytest.mark.parametrize(("kind", "source", "document"), FROM_OUTSIDE)
def test_what_comes_in_a_stream_cannot_say_who_answered(
    world: World, tmp_path: Path, kind: PayloadKind, source: Source, document: Any
) -> None:
    (span,) = spooled(world, tmp_path, document, kind, source=source)

    assert facts(span) == ("", "", False)
    assert "specialist-9" in str(span.attributes)


def test_what_is_uploaded_cannot_say_who_answered(world: World) -> None:
    ingest(agent=world.agent, records=records([logged(**FORGED)]), source=Source.UPLOAD)

    span = Span.objects.get()
    assert facts(span) == ("", "", False)
    assert span.attributes["served_by"] == "specialist-9"


def test_a_program_cannot_say_who_answered(world: World) -> None:
    _, secret = create_api_key(
        workspace=world.workspace, name="k", scopes=[Scope.INGEST], actor=world.admin, agent=world.agent
    )
    answer = world.client(world.viewer).post(
        "/api/v1/calls",
        orjson.dumps({"calls": [logged(**FORGED)]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )

    assert answer.status_code == 200
    assert facts(Span.objects.get()) == ("", "", False)


def test_a_header_is_believed_of_the_gateway_only(world: World, tmp_path: Path) -> None:
    (span,) = spooled(world, tmp_path, logged(), source=Source.OTLP, served=SERVED)

    assert facts(span) == ("", "", False)


@pytest.mark.parametrize("first", ["gateway", "upload"])
def test_nobody_else_completes_what_the_gateway_says(world: World, tmp_path: Path, first: str) -> None:
    def upload() -> None:
        forged = logged(**FORGED, metadata={"simulated": True}, user="somebody")
        ingest(agent=world.agent, records=records([forged]), source=Source.UPLOAD)

    if first == "upload":
        upload()
    spooled(world, tmp_path, logged(), source=Source.GATEWAY, served=SERVED)
    if first == "gateway":
        upload()

    (span,) = Span.objects.all()
    assert span.user == "somebody"
    assert facts(span) == ("specialist-1@abc", "", False)


# ---- the gateway's own word


def test_the_gateways_word_fills_the_row(world: World, tmp_path: Path) -> None:
    served = Served(by="teacher", fallback="confidence 0.10 below 0.50", simulated=True, latency_ms=7.0)
    (span,) = spooled(world, tmp_path, logged(), source=Source.GATEWAY, served=served)

    assert facts(span) == ("teacher", "confidence 0.10 below 0.50", True)
    assert (span.latency_ms, span.ttft_ms, span.error) == (7.0, None, "")


def test_times_and_errors_are_the_gateways(world: World, tmp_path: Path) -> None:
    served = msgspec.structs.replace(SERVED, error="HTTP 429")
    (span,) = spooled(world, tmp_path, logged(latency_ms=1.0), source=Source.GATEWAY, served=served)

    assert (span.latency_ms, span.ttft_ms, span.error) == (12.5, 3.5, "HTTP 429")


def test_a_caller_of_the_gateway_cannot_call_its_answer_a_simulation(world: World, tmp_path: Path) -> None:
    asked = {"metadata": {"simulated": True, **FORGED}}
    (span,) = spooled(world, tmp_path, logged(request=asked), source=Source.GATEWAY, served=SERVED)

    assert facts(span) == ("specialist-1@abc", "", False)


def test_what_an_older_gateway_spooled_keeps_its_facts(world: World, tmp_path: Path) -> None:
    older = logged(
        served_by="teacher",
        slmhub={"fallback": "malformed answer", "simulated": True},
        metadata={"simulated": True},
        latency_ms=41.5,
        error="HTTP 503",
    )
    (span,) = spooled(world, tmp_path, older, source=Source.GATEWAY)

    assert facts(span) == ("teacher", "malformed answer", True)
    assert (span.latency_ms, span.error) == (41.5, "HTTP 503")
    assert {"served_by", "slmhub"}.isdisjoint(span.attributes)


def test_rows_of_an_older_gateway_get_their_column(world: World) -> None:
    told = {"slmhub": {"fallback": "malformed answer", "simulated": False}}
    common = {"workspace": world.workspace, "agent": world.agent, "started_at": world.agent.created_at}
    Span.objects.create(**common, span_id="1", source=Source.GATEWAY, attributes=told)
    Span.objects.create(**common, span_id="2", source=Source.GATEWAY, attributes={"slmhub": {}})
    Span.objects.create(**common, span_id="3", source=Source.UPLOAD, attributes=told)

    migration = import_module("apps.traces.migrations.0005_served")
    migration.take_out_of_attributes(apps, connection.schema_editor())
    assert list(Span.objects.order_by("span_id").values_list("fallback", flat=True)) == [
        "malformed answer",
        "",
        "",
    ]
