"""Nothing that an emitter sends stands in clear in any table or file, wherever it was put."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.contents.models import Content
from apps.team.services import create_api_key
from apps.traces.models import Span
from tests.intake.exports import NOW
from tests.intake.sender import Sender, serving
from tests.traces.leaks import Planted
from tests.uploads.upload_files import imported, page, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
JSON = "application/json"
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


def attributes(**given: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in given.items()]


def dotted(given: dict[str, str]) -> list[dict[str, Any]]:
    return attributes(**given)


def said(planted: Planted) -> list[dict[str, Any]]:
    """Parts of every type, as OpenTelemetry writes messages."""
    arguments = {"note": planted.text("tool arguments"), planted.mail("argument key"): [planted.text("deep")]}
    return [
        {"role": "user", "parts": [
            {"type": "text", "content": planted.text("user message")},
            {"type": "uri", "modality": "image", "uri": "https://x.test/" + planted.mail("image address")},
            {"type": "reasoning", "content": planted.text("reasoning")},
            {"type": "house_part", "content": {"inner": planted.text("unknown part")}},
        ]},
        {"role": "assistant", "parts": [
            {"type": "tool_call", "id": "c1", "name": "look", "arguments": arguments},
            {"type": "tool_call", "id": "c2", "name": "look", "arguments": planted.text("broken arguments")},
        ]},
        {"role": "tool", "parts": [
            {"type": "tool_call_response", "id": "c1", "response": {"rows": [planted.text("tool result")]}}
        ]},
    ]  # fmt: skip


def spans_export(planted: Planted) -> dict[str, Any]:
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": planted.text("answer")}]}]
    tool = {"type": "function", "name": "look", "description": planted.key("tool definition")}
    call = {
        "traceId": "ab" * 16, "spanId": "ab" * 8, "name": planted.text("span name"),
        "startTimeUnixNano": str(NOW), "endTimeUnixNano": str(NOW + 10**9),
        "traceState": f"who={planted.mail('trace state')}",
        "status": {"code": 2, "message": planted.text("status message")},
        "attributes": dotted({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt",
            "gen_ai.input.messages": orjson.dumps(said(planted)).decode(),
            "gen_ai.output.messages": orjson.dumps(answer).decode(),
            "gen_ai.tool.definitions": orjson.dumps([tool]).decode(),
            "gen_ai.request.stop_sequences": planted.text("parameter"),
            "gen_ai.conversation.id": planted.mail("session"),
            "user.id": planted.mail("user"),
            "langfuse.trace.tags": orjson.dumps([planted.text("tag")]).decode(),
            "langfuse.trace.metadata.note": planted.text("metadata"),
            "deployment.environment": planted.mail("environment"),
            "house.note": planted.text("unknown attribute"),
            f"house.{planted.mail('attribute key')}": "1",
            "house.long": planted.text("long attribute") + " and so on" * 3000,
        }),
        "events": [
            {"name": planted.text("event name"), "timeUnixNano": str(NOW),
             "attributes": attributes(note=planted.text("event attribute"))},
            {"name": "exception", "timeUnixNano": str(NOW), "attributes": dotted({
                "exception.type": "ValueError", "exception.message": planted.text("exception"),
                "exception.stacktrace": planted.text("stack")})},
        ],
        "links": [
            {"traceId": "cd" * 16, "spanId": "cd" * 8, "attributes": attributes(n=planted.text("link"))}
        ],
    }  # fmt: skip
    step = {
        "traceId": "ab" * 16, "spanId": "cd" * 8, "parentSpanId": "ab" * 8, "name": "look",
        "startTimeUnixNano": str(NOW), "endTimeUnixNano": str(NOW + 10**9),
        "attributes": dotted({
            "openinference.span.kind": "TOOL", "input.value": planted.text("step input"),
            "output.value": planted.text("step output"), "metadata": planted.text("step metadata"),
        }),
    }  # fmt: skip
    resource = {"service.name": planted.text("service"), "host.name": planted.mail("resource")}
    scope = {"name": planted.text("scope"), "version": planted.mail("scope version"),
             "attributes": attributes(note=planted.text("scope attribute"))}  # fmt: skip
    bare = {"traceId": "", "spanId": "", "name": planted.text("refused span")}
    return {"resourceSpans": [
        {"resource": {"attributes": dotted(resource)},
         "scopeSpans": [{"scope": scope, "spans": [call, step, bare]}]}
    ]}  # fmt: skip


def logs_export(planted: Planted) -> dict[str, Any]:
    def event(place: str, **more: str) -> dict[str, Any]:
        body = {"kvlistValue": {"values": attributes(content=planted.text(place), role="user")}}
        return {
            "timeUnixNano": str(NOW), "eventName": "gen_ai.user.message", "body": body,
            "attributes": attributes(note=planted.text(f"{place} attribute")), **more,
        }  # fmt: skip

    records = [
        event("log body", traceId="ab" * 16, spanId="ab" * 8),
        event("log body of a span that never comes", traceId="ef" * 16, spanId="ef" * 8),
        event("log body without a span"),
        {"timeUnixNano": str(NOW), "body": {"stringValue": planted.text("plain log")}},
    ]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}


def langfuse_batch(planted: Planted) -> dict[str, Any]:
    at = "2026-01-05T10:00:00.000Z"
    trace = {
        "id": "t9", "name": planted.text("trace name"), "userId": planted.mail("trace user"),
        "sessionId": planted.mail("trace session"), "tags": [planted.text("trace tag")],
        "metadata": {"note": planted.text("trace metadata")}, "input": planted.text("trace input"),
    }  # fmt: skip
    call = {
        "id": "g9", "traceId": "t9", "name": "ask", "startTime": at, "model": planted.mail("model"),
        "modelParameters": {"note": planted.text("model parameter")}, "version": planted.mail("version"),
        "input": [{"role": "user", "content": planted.text("generation input")}], "level": "ERROR",
        "output": planted.text("generation output"), "statusMessage": planted.text("generation status"),
        "metadata": {"x": planted.text("generation metadata")},
    }  # fmt: skip
    score = {
        "id": "s9", "traceId": "t9", "observationId": "g9", "name": planted.mail("score name"), "value": 1,
        "comment": planted.text("score comment"),
    }  # fmt: skip
    events = [("trace-create", trace), ("generation-create", call), ("score-create", score)]
    batch = [{"id": f"e-{type}", "timestamp": at, "type": type, "body": body} for type, body in events]
    return {"batch": [*batch, {"id": "odd", "timestamp": at, "type": "generation-create", "body": 5}]}


def langsmith_batch(planted: Planted) -> dict[str, Any]:
    one, at = "01a208da-88b6-7cca-9a11-06eb16575826", "2026-01-05T10:00:00.000Z"
    run = {
        "id": one, "trace_id": one, "dotted_order": f"20260105T100000000000Z{one}", "run_type": "llm",
        "name": planted.text("run name"), "start_time": at, "end_time": at,
        "inputs": {"messages": [{"role": "user", "content": planted.text("run input")}]},
        "outputs": {"messages": [{"role": "assistant", "content": planted.text("run output")}]},
        "error": planted.text("run error"), "tags": [planted.text("run tag")],
        "extra": {"metadata": {"note": planted.text("run metadata"), "thread_id": planted.mail("thread")},
                  "invocation_params": {"stop": planted.text("run parameter")},
                  "runtime": {"platform": planted.text("run runtime")}},
        "events": [{"name": planted.text("run event")}], "serialized": {"name": planted.text("serialized")},
    }  # fmt: skip
    return {"post": [run]}


def file_rows(planted: Planted) -> list[Any]:
    picture = [
        {"type": "text", "text": planted.text("text beside an image")},
        {"type": "image_url", "image_url": {"url": PNG, "detail": planted.mail("image detail")}},
        {"type": "file", "file": {"filename": planted.mail("file name of a part"), "file_data": PNG}},
    ]
    call = {
        "id": planted.mail("call id"), "session_id": planted.mail("row session"),
        "timestamp": "2026-01-05T10:00:00Z", "metadata": {"note": planted.text("row metadata")},
        "request": {"model": "gpt", "user": planted.mail("row user"), "stop": [planted.text("row parameter")],
                    "messages": [{"role": "user", "name": planted.mail("speaker"), "content": picture}]},
        "response": {"choices": [{"message": {"role": "assistant", "content": planted.text("row answer"),
                                              "refusal": planted.text("refusal")}}]},
        planted.mail("row key"): planted.text("row value"),
    }  # fmt: skip
    failed = {
        "id": "f",
        "request": {"model": "gpt", "messages": [{"role": "user", "content": "Hi"}]},
        "response": {"error": {"message": planted.text("provider error")}},
    }
    return [call, failed, {planted.mail("unknown key"): planted.text("unknown shape")}]


def file_of(planted: Planted) -> bytes:
    broken = b'{"request": "' + planted.text("broken line").encode() + b"\n"
    wrong = {"request": {"messages": planted.text("malformed row")}, "response": {}}
    return b"".join(orjson.dumps(row) + b"\n" for row in (*file_rows(planted), wrong)) + broken


def shown_anywhere() -> str:
    """What people may read of it all: it must be there, redacted."""
    return "".join(Content.objects.values_list("text", flat=True))


def test_what_stands_in_clear_is_found(world: World, planted: Planted, home: Path) -> None:
    Workspace.objects.filter(pk=world.workspace.pk).update(name=planted.mail("a row"))
    (home / "note.txt").write_text(planted.text("a file"))
    found = dict(planted.leaks(home))
    assert found == {"a row": "accounts_workspace.name", "a file": "note.txt"}


def test_nothing_that_is_streamed_stands_in_clear(world: World, planted: Planted, tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        sender = Sender.build(world, address, tmp_path)
        for path, body, status in (
            ("/v1/logs", logs_export(planted), 200),
            ("/v1/traces", spans_export(planted), 200),
            ("/api/public/ingestion", langfuse_batch(planted), 207),
            ("/runs/batch", langsmith_batch(planted), 202),
        ):
            agent = {"user_agent": f"sdk ({planted.mail('user agent')})"}
            response = sender.post(orjson.dumps(body), path=path, content_type=JSON, **agent)
            assert response.status_code == status, response.text
        assert planted.leaks(tmp_path) == set(), "sealed while it waits"
        stored = sender.stored()
    assert {"ab" * 8, "cd" * 8, "g9"} <= {span.span_id for span in stored}
    assert planted.leaks(tmp_path) == set()
    assert "[EMAIL_" in shown_anywhere()


def test_nothing_of_an_uploaded_file_stands_in_clear(world: World, planted: Planted, home: Path) -> None:
    files = [
        ("log.jsonl.gz", gzip.compress(file_of(planted))),
        ("spans.json", orjson.dumps(spans_export(planted))),
    ]
    send(world, *files)
    shown = page(world)
    assert [value for value in planted.places if value in shown] == []
    assert planted.leaks(home) == set(), "sealed while it waits, and the look beforehand keeps nothing"
    imported(world, *files)
    assert Span.objects.count() >= 4
    assert (home / "rejects").exists()
    assert planted.leaks(home) == set()


def test_nothing_of_an_imported_file_stands_in_clear(world: World, planted: Planted, home: Path) -> None:
    path = home.parent / f"{home.name}.jsonl.gz"
    path.write_bytes(gzip.compress(file_of(planted)))
    call_command("import_traces", path, agent="tau", workspace=world.workspace.slug, stdout=io.StringIO())
    assert Span.objects.count() == 2
    assert planted.leaks(home) == set()


def test_nothing_of_calls_sent_one_by_one_stands_in_clear(world: World, planted: Planted, home: Path) -> None:
    _, secret = create_api_key(
        workspace=world.workspace, name="log", scopes=[Scope.INGEST], actor=world.admin
    )
    body = {"agent": world.agent.slug, "calls": [*file_rows(planted), planted.text("no call")]}
    response = world.client(world.owner).post(
        "/api/v1/calls", orjson.dumps(body), content_type=JSON,
        headers={"authorization": f"Bearer {secret}", "user-agent": planted.mail("user agent")},
    )  # fmt: skip
    assert response.json()["accepted"] == 2
    assert [value for value in planted.places if value in response.content.decode()] == []
    assert planted.leaks(home) == set()
