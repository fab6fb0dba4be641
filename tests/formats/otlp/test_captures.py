from __future__ import annotations

import json
from typing import Any

import pytest

from slmhub.formats.otlp import json_exports as otlp_json
from slmhub.formats.platforms import captures
from slmhub.formats.reader import parse_rows
from slmhub.formats.records import MalformedError, Record, Reject
from tests.formats.otlp.spans import START_NS, TRACE, json_export

LANGFUSE = {
    "batch": [
        {
            "id": "e1",
            "timestamp": "2026-01-01T12:00:00Z",
            "type": "generation-create",
            "body": {"id": "g1", "traceId": "t1", "model": "gpt-4o", "input": "Hi", "output": "Hello"},
        }
    ]
}
RUN = {
    "id": "0198f3c5-6b1c-7a52-8a3e-6f7f5d1b2c3d",
    "trace_id": "0198f3c5-6b1c-7a52-8a3e-6f7f5d1b2c3d",
    "dotted_order": "20260101T120000000000Z0198f3c5-6b1c-7a52-8a3e-6f7f5d1b2c3d",
    "name": "ChatOpenAI",
    "run_type": "llm",
    "start_time": "2026-01-01T12:00:00Z",
    "inputs": {"messages": [{"role": "user", "content": "Hi"}]},
}


def captured(path: str, body: Any, key: str = "json") -> dict[str, Any]:
    return {"path": path, "headers": {"content-type": "application/json"}, key: body}


@pytest.mark.parametrize(
    ("row", "format"),
    [
        (captured("/v1/traces", json_export(), "otlp_json"), "otel_genai_events"),
        (captured("/api/public/otel/v1/traces", json_export(), "body"), "otel_genai_events"),
        (captured("/v1/traces", json.dumps(json_export()), "body"), "otel_genai_events"),
        (captured("/api/public/ingestion", LANGFUSE), "langfuse_ingestion"),
        (captured("/runs/batch", {"post": [RUN], "patch": []}), "langsmith_runs"),
        (captured("/runs", RUN), "langsmith_runs"),
        (
            captured(f"/runs/{RUN['id']}", {"outputs": {"content": "Hello"}, "trace_id": "t"}),
            "langsmith_runs",
        ),
    ],
)
def test_it_reads_what_was_sent_to_any_of_the_addresses(row: dict[str, Any], format: str) -> None:
    (record,) = parse_rows(row)
    assert isinstance(record, Record)
    assert record.format == format


@pytest.mark.parametrize("body", [{"resourceMetrics": []}, "{broken", 7, None])
def test_it_refuses_a_body_that_holds_no_spans(body: Any) -> None:
    with pytest.raises(MalformedError):
        list(captures.records(captured("/v1/metrics", body)))


def test_it_reads_a_document_in_snake_case_and_one_with_spans_and_logs() -> None:
    record = {"traceId": TRACE, "spanId": "12" * 8, "timeUnixNano": START_NS, "body": {"stringValue": "x"}}
    both = {**json_export(), "resource_logs": [{"scope_logs": [{"log_records": [record, {}]}]}]}
    found = parse_rows(both)
    assert [type(item) for item in found] == [Record, Reject, Record]
    assert isinstance(found[2], Record)
    assert found[2].partial


def test_it_claims_no_other_document() -> None:
    assert not any(otlp_json.matches(row) for row in ({}, [], None, {"spans": []}, {"resourceMetrics": []}))
    assert not captures.matches({"path": 7, "json": {}})
