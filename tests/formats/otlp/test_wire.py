from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from slmhub.formats.otlp import json_exports as otlp_json
from slmhub.formats.otlp import wire
from slmhub.formats.otlp.read import records_of_logs, records_of_spans
from slmhub.formats.otlp.wire import LogData, SpanData, WireError
from slmhub.formats.records import MalformedError, Record, Reject
from tests.formats.otlp.spans import SPAN, START_NS, TRACE, export, json_export, log_export, only_span

VALUES = {
    "text": "a",
    "empty": "",
    "number": 7,
    "negative": -7,
    "share": 0.5,
    "yes": True,
    "no": False,
    "list": ["a", 1, {"b": [True]}],
    "object": {"a": {"b": "c"}, "n": 1},
    "none": [],
}


def test_it_reads_every_kind_of_value_from_protobuf() -> None:
    assert only_span(export(VALUES)).attributes == VALUES


def test_it_reads_the_same_from_json_as_from_protobuf() -> None:
    def wrapped(value: Any) -> dict[str, Any]:
        match value:
            case bool():
                return {"boolValue": value}
            case int():
                return {"intValue": str(value)}
            case float():
                return {"doubleValue": value}
            case list():
                return {"arrayValue": {"values": [wrapped(item) for item in value]}}
            case dict():
                pairs = [{"key": key, "value": wrapped(item)} for key, item in value.items()]
                return {"kvlistValue": {"values": pairs}}
        return {"stringValue": value}

    attributes = [{"key": key, "value": wrapped(value)} for key, value in VALUES.items()]
    found = wire.spans_of_json(json_export(attributes=attributes))[0]
    assert isinstance(found, SpanData)
    assert found.attributes == VALUES
    assert (found.trace_id, found.span_id, found.start_ns) == (TRACE, SPAN, START_NS)


def test_it_writes_bytes_as_base64_and_numbers_without_end_as_text() -> None:
    found = only_span(export({"raw": b"\x00\xff", "nan": float("nan"), "far": float("inf")})).attributes
    assert found == {"raw": "AP8=", "nan": "nan", "far": "inf"}


@pytest.mark.parametrize("id", [TRACE, TRACE.upper(), base64.b64encode(bytes.fromhex(TRACE)).decode()])
def test_it_takes_ids_in_hex_of_either_case_and_in_base64(id: str) -> None:
    found = wire.spans_of_json(json_export(traceId=id))[0]
    assert isinstance(found, SpanData)
    assert found.trace_id == TRACE


def test_it_takes_snake_case_names_enums_by_name_and_numbers_for_clocks() -> None:
    sent = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "start_time_unix_nano": START_NS,
        "kind": "SPAN_KIND_CLIENT",
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
        "attributes": [{"key": "a", "value": {"string_value": "b"}}],
    }
    found = wire.spans_of_json({"resource_spans": [{"scope_spans": [{"spans": [sent]}]}]})[0]
    assert isinstance(found, SpanData)
    assert (found.kind, found.status_code, found.start_ns, found.attributes) == (3, 2, START_NS, {"a": "b"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trace_id": b""}, "no readable trace id"),
        ({"trace_id": b"12345"}, "the trace id has 5 bytes, expected 16"),
        ({"trace_id": bytes(16)}, "the trace id is all zeros"),
        ({"span_id": b""}, "no readable span id"),
        ({"span_id": bytes(8)}, "the span id is all zeros"),
    ],
)
def test_it_rejects_a_span_that_cannot_be_addressed(changes: dict[str, bytes], reason: str) -> None:
    body = export(**changes).SerializeToString()
    assert wire.spans_of_protobuf(body) == [Reject(0, reason, "chat gpt-4o")]
    assert wire.check_traces(body, json=False) == wire.Checked(0, 1, [f"1 span: {reason}"])


def test_it_rejects_an_id_that_is_neither_hex_nor_base64() -> None:
    found = wire.spans_of_json(json_export(traceId="not sixteen byte"))
    assert found == [Reject(0, "no readable trace id", "chat gpt-4o")]


def test_it_keeps_the_good_spans_beside_a_bad_one() -> None:
    request = export()
    request.resource_spans[0].scope_spans[0].spans.add(name="lost")
    checked = wire.check_traces(request.SerializeToString(), json=False)
    assert (checked.accepted, checked.rejected, checked.reasons) == (1, 1, ["1 span: no readable trace id"])


def test_it_takes_an_empty_request() -> None:
    assert wire.check_traces(b"", json=False) == wire.check_traces(b"{}", json=True) == wire.Checked(0, 0, [])


def test_it_says_where_to_send_logs_that_come_to_the_traces() -> None:
    body = log_export({"a": "b" * 300}).SerializeToString()
    for read in (wire.spans_of_protobuf, lambda body: wire.check_traces(body, json=False)):
        with pytest.raises(WireError, match="send them to /v1/logs"):
            read(body)
    with pytest.raises(WireError, match="send them to /v1/logs"):
        wire.check_traces(b'{"resourceLogs": []}', json=True)


def test_it_says_where_to_send_spans_that_come_to_the_logs() -> None:
    with pytest.raises(WireError, match="send them to /v1/traces"):
        wire.check_logs(export().SerializeToString(), json=False)
    with pytest.raises(WireError, match="send them to /v1/traces"):
        wire.check_logs(orjson.dumps(json_export()), json=True)


def test_it_recognises_logs_without_any_ids() -> None:
    body = log_export(trace_id=b"", span_id=b"").SerializeToString()
    with pytest.raises(WireError, match="send them to /v1/logs"):
        wire.check_traces(body, json=False)
    assert wire.check_logs(body, json=False).reasons == ["1 log record: no readable trace id"]


def test_it_reads_a_log_record_and_the_name_of_its_event() -> None:
    named = wire.logs_of_protobuf(log_export(event_name="gen_ai.choice").SerializeToString())[0]
    assert isinstance(named, LogData)
    assert (named.name, named.body, named.time_ns) == ("gen_ai.choice", "a line", START_NS)
    record = {
        "traceId": TRACE,
        "spanId": SPAN,
        "observedTimeUnixNano": str(START_NS),
        "attributes": [{"key": "event.name", "value": {"stringValue": "gen_ai.user.message"}}],
    }
    old = wire.logs_of_json({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})[0]
    assert isinstance(old, LogData)
    assert (old.name, old.body, old.time_ns) == ("gen_ai.user.message", None, START_NS)


@pytest.mark.parametrize("body", [b"[]", b"7", b"not json", b"\xff", b'{"resourceSpans": 7}'])
def test_it_refuses_json_that_is_no_export(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.check_traces(body, json=True)


def test_it_bounds_values_that_are_nested_too_deeply() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    found = list(otlp_json.records(json_export(attributes=[{"key": "a", "value": value}])))
    assert isinstance(found[0], Record)
    assert "nested deeper than" in json.dumps(found[0].attributes["a"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "input.value",
        "gen_ai.tool.definitions", "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens",
        "session.id", "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.arguments", "issues",
        "metadata", "gen_ai.provider.name", "output.value", "openinference.span.kind",
        "langfuse.observation.type",
        "llm.input_messages.0.message.content", "gen_ai.prompt.0.role", "ai.prompt", "traceloop.span.kind",
    ]
)  # fmt: skip
SHAPED = st.sampled_from(
    [[{"role": "tool", "parts": [{"type": "tool_call_response", "response": {"a": 1}}]}]]
)
ATTRIBUTES = st.dictionaries(KEYS, JSON | SHAPED | JSON.map(lambda value: json.dumps(value)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(attributes=ATTRIBUTES, events=st.lists(st.tuples(KEYS, ATTRIBUTES), max_size=2))
def test_it_makes_a_record_of_whatever_stands_in_the_attributes(attributes: Any, events: Any) -> None:
    from tests.formats.otlp.spans import event, span

    sent = [event("gen_ai.choice", **attributes), *(event(name, **fields) for name, fields in events)]
    found = list(records_of_spans([span(attributes, events=sent)]))
    assert len(found) == 1
    orjson.dumps([found[0].messages, found[0].output, found[0].tools, found[0].attributes], default=str)


@settings(max_examples=200, deadline=None)
@given(body=JSON, attributes=ATTRIBUTES, name=st.sampled_from(["gen_ai.choice", "gen_ai.tool.message", "x"]))
def test_it_makes_a_part_of_whatever_stands_in_a_log_record(body: Any, attributes: Any, name: str) -> None:
    from tests.formats.otlp.spans import log

    found = list(records_of_logs([log(name, body, attributes=attributes)]))
    assert [record.partial for record in found] == [True]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_it_reads_mutated_json_or_rejects_it(data: st.DataObject) -> None:
    document = json_export(events=[{"name": "e"}], status={"code": 2})
    place: Any = document
    for _ in range(data.draw(st.integers(1, 9))):
        keys = (
            list(place) if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else []
        )
        if not keys:
            break
        key = data.draw(st.sampled_from(list(keys)))
        if data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    body = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS, default=str) if _fits(document) else b"{}"
    with contextlib.suppress(MalformedError):
        checked = wire.check_traces(body, json=True)
        found = wire.spans_of_json(orjson.loads(body))
        rejected = sum(isinstance(item, Reject) for item in found)
        assert (checked.accepted, checked.rejected) == (len(found) - rejected, rejected)
        list(otlp_json.records(orjson.loads(body)))


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(0, 700), flip=st.integers(0, 700), noise=st.binary(max_size=6), logs=st.booleans())
def test_it_reads_mutated_protobuf_or_rejects_it(cut: int, flip: int, noise: bytes, logs: bool) -> None:
    body = (log_export() if logs else export()).SerializeToString()
    body = body[:flip] + noise + body[flip + len(noise) : len(body) - cut]
    for check, read in (
        (wire.check_traces, wire.spans_of_protobuf),
        (wire.check_logs, wire.logs_of_protobuf),
    ):
        with contextlib.suppress(MalformedError):
            checked = check(body, False)
            found = read(body)
            rejected = sum(isinstance(item, Reject) for item in found)
            assert (checked.accepted, checked.rejected) == (len(found) - rejected, rejected)
            spans = [item for item in found if isinstance(item, SpanData)]
            assert len(list(records_of_spans(spans))) == len(spans)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_it_reads_random_bytes_or_rejects_them(body: bytes) -> None:
    for json_sent in (True, False):
        with contextlib.suppress(MalformedError):
            wire.check_traces(body, json_sent)
            wire.check_logs(body, json_sent)


def _fits(document: Any) -> bool:
    try:
        orjson.dumps(document, default=str)
    except orjson.JSONEncodeError:
        return False
    return True


def test_it_keeps_what_ties_a_span_to_others_and_what_its_scope_says() -> None:
    link = {"traceId": "12" * 16, "spanId": "34" * 8, "attributes": [attribute("why", "retry")]}
    tied = {"traceId": TRACE, "spanId": SPAN, "name": "x", "links": [link], "traceState": "vendor=1"}
    scope = {"name": "lib", "attributes": [attribute("lib.flavour", "sweet")]}
    document = {"resourceSpans": [{"scopeSpans": [{"scope": scope, "spans": [tied]}]}]}
    request = json_format.ParseDict(with_base64_ids(document), ExportTraceServiceRequest())
    for spans in (wire.spans_of_json(document), wire.spans_of_protobuf(request.SerializeToString())):
        (record,) = records_of_spans([one for one in spans if isinstance(one, wire.SpanData)])
        assert record.attributes["otel.trace_state"] == "vendor=1"
        assert record.attributes["otel.links"] == [
            {"trace_id": "12" * 16, "span_id": "34" * 8, "why": "retry"}
        ]
        assert record.attributes["resource"]["scope.lib.flavour"] == "sweet"


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def with_base64_ids(value: Any) -> Any:
    """The document as protobuf's own JSON reader wants it."""
    if isinstance(value, list):
        return [with_base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key.endswith("Id") else with_base64_ids(item)
        for key, item in value.items()
    }
