"""The same 58 calls as seven SDKs sent them: what arrives must be the same calls."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from slmhub.formats.exchanges import openai_chat
from slmhub.formats.merge import demote_wrappers, joined
from slmhub.formats.otlp import wire
from slmhub.formats.otlp.read import records_of_spans
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.platforms import captures
from slmhub.formats.records import Message, Record, SpanKind
from tests.formats.worlds import TAU

REPLAY = TAU.parents[1] / "wire/sdk_replay"
pytestmark = pytest.mark.skipif(not REPLAY.exists(), reason="../shared/data is not here")

EMITTERS = [
    "openinference",
    "openllmetry",
    "langfuse",
    "langsmith",
    "otel_genai_latest_span_attrs",
    "otel_openai_v2_2.1b0_log_events_old",
]
OLD_EVENTS = "otel_openai_v2_2.1b0_log_events_old"
SESSIONS = (
    "tau-airline-gpt4o-task000-trial0",
    "tau-airline-gpt4o-task003-trial0",
    "tau-retail-fork-base-task000-trial0",
)
Call = dict[str, Any]


def rows_in(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as lines:
        yield from (orjson.loads(line) for line in lines)


def sent_by(path: Path) -> list[Record]:
    found = [item for row in rows_in(path) for item in captures.records(row)]
    records = [item for item in joined(found) if isinstance(item, Record)]
    assert len(records) == len({record.span_id for record in records})
    demote_wrappers(records)
    return records


@cache
def calls_of(emitter: str) -> list[Call]:
    records = sent_by(REPLAY / f"{emitter}.jsonl.gz")
    session_of = {record.trace_id: record.session for record in records if record.session}
    calls = [record for record in records if record.kind is SpanKind.LLM]
    calls.sort(key=lambda record: (session_of[record.trace_id], record.started_at))
    return [said_in(record, session_of[record.trace_id]) for record in calls]


@cache
def original_calls() -> list[Call]:
    wanted = [row for row in rows_in(TAU) if row["session_id"] in SESSIONS]
    return [said_in(openai_chat.parse(row), row["session_id"]) for row in sorted(wanted, key=_session)]


def _session(row: dict[str, Any]) -> str:
    return str(row["session_id"])


def said_in(record: Record, session: str | None) -> Call:
    return {
        "session": session,
        "model": record.model,
        "messages": [said(message) for message in record.messages],
        "output": said(record.output) if record.output else None,
        "tools": [tool["function"]["name"] for tool in record.tools],
        "usage": (record.usage.input, record.usage.output),
        "finish_reason": record.finish_reason,
    }


def said(message: Message) -> dict[str, Any]:
    calls = [
        (call["id"], call["function"]["name"], parsed(call["function"]["arguments"]))
        for call in message.get("tool_calls", ())
    ]
    place = {"tool_call_id": message["tool_call_id"]} if message["role"] == "tool" else {}
    return {"role": message["role"], "content": message.get("content"), "tool_calls": calls, **place}


def parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def without(call: Call, *names: str) -> Call:
    return {name: value for name, value in call.items() if name not in names}


def without_words_beside_calls(call: Call) -> Call:
    messages = [
        {**message, "content": None} if message["tool_calls"] else message for message in call["messages"]
    ]
    return {**call, "messages": messages}


def expected_of(emitter: str) -> list[Call]:
    """The original calls, less what that emitter's SDK does not send."""
    match emitter:
        case "langfuse":
            return [without(call, "finish_reason") for call in original_calls()]
        case _ if emitter == OLD_EVENTS:
            # No tool definitions; and of a message with tool calls not the words beside them.
            return [without_words_beside_calls(without(call, "tools")) for call in original_calls()]
    return original_calls()


@pytest.mark.parametrize("emitter", EMITTERS)
def test_it_reads_the_same_58_calls_from_every_emitter(emitter: str) -> None:
    names = expected_of(emitter)[0].keys()
    found = [{name: call[name] for name in names} for call in calls_of(emitter)]
    assert len(found) == 58
    for call, expected in zip(found, expected_of(emitter), strict=True):
        assert call == expected


def test_it_loses_no_words_that_the_old_events_carry() -> None:
    bodies = [
        log["body"]
        for row in rows_in(REPLAY / f"{OLD_EVENTS}.jsonl.gz")
        for group in row["otlp_json"].get("resourceLogs", ())
        for scoped in group["scopeLogs"]
        for log in scoped["logRecords"]
    ]
    keys = [{pair["key"] for pair in body.get("kvlistValue", {}).get("values", ())} for body in bodies]
    assert not any({"content", "tool_calls"} <= held for held in keys)


@pytest.mark.parametrize("emitter", EMITTERS)
def test_it_notes_nothing_odd_where_nothing_is(emitter: str) -> None:
    records = sent_by(REPLAY / f"{emitter}.jsonl.gz")
    assert Counter(issue for record in records for issue in record.attributes.get("issues", ())) == {}


@pytest.mark.parametrize("emitter", ["openinference", "openllmetry", "langfuse"])
def test_it_reads_the_same_from_protobuf_as_from_json(emitter: str) -> None:
    body = (REPLAY / f"{emitter}.first_export.pb").read_bytes()
    spans = [span for span in wire.spans_of_protobuf(body) if isinstance(span, SpanData)]
    assert wire.check_traces(body, json=False) == wire.Checked(len(spans), 0, [])
    in_json = {record.span_id: record for record in spans_in(REPLAY / f"{emitter}.jsonl.gz")}
    assert len(spans) >= 16
    for record in records_of_spans(spans):
        assert record == in_json[record.span_id]


def spans_in(path: Path) -> Iterator[Record]:
    for row in rows_in(path):
        for item in captures.records(row):
            assert isinstance(item, Record)
            yield item


def test_it_shows_what_the_default_limit_of_128_attributes_dropped() -> None:
    records = sent_by(REPLAY / "default_attr_limit/openinference.jsonl.gz")
    cut = [record for record in records if record.dropped]
    assert max(record.dropped for record in cut) == 102
    assert all("attributes_dropped" in record.attributes["issues"] for record in cut)
    assert all("attributes_dropped" not in r.attributes.get("issues", ()) for r in records if not r.dropped)


def test_it_shows_that_content_was_switched_off() -> None:
    records = sent_by(REPLAY / "otel_openai_v2_2.3b0_log_events.jsonl.gz")
    calls = [record for record in records if record.kind is SpanKind.LLM]
    assert len(calls) == 58
    assert all(record.attributes["issues"] == ["content_off"] for record in calls)
    roles = [[message["role"] for message in record.messages] for record in calls]
    assert sorted(roles) == sorted(
        [message["role"] for message in call["messages"]] for call in original_calls()
    )


@pytest.mark.parametrize("emitter", ["otel_genai_latest_span_attrs", OLD_EVENTS])
def test_it_reads_the_same_whether_spans_or_logs_come_first(emitter: str) -> None:
    rows = list(rows_in(REPLAY / f"{emitter}.jsonl.gz"))
    found = []
    for order in (rows, rows[::-1]):
        items = joined(item for row in order for item in captures.records(row))
        found.append({item.span_id: item for item in items if isinstance(item, Record)})
    assert found[0] == found[1]
