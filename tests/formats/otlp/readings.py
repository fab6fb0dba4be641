"""For the tests of conventions: readings of hand-made spans, real ones, and values of any JSON type."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st

from slmhub.formats.exchanges import openai_chat
from slmhub.formats.otlp.read import records_of_spans
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.wire import SpanData, spans_of_json
from slmhub.formats.records import Issue, Record, Reject

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not here")

REPLAYED = (
    "tau-airline-gpt4o-task000-trial0",
    "tau-airline-gpt4o-task003-trial0",
    "tau-retail-fork-base-task000-trial0",
)
START_NS = 1_770_000_000_000_000_000


def span(attributes: dict[str, Any], **fields: Any) -> SpanData:
    given: dict[str, Any] = {
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_id": None,
        "name": "span",
        "kind": 3,
        "start_ns": START_NS,
        "end_ns": START_NS + 2_000_000_000,
        "dropped": 0,
        "events": [],
        "status_code": 0,
        "status_message": "",
        "scope": "some.scope 1.0",
        "resource": {},
    }
    return SpanData(**{**given, **fields, "attributes": attributes})


def reading(convention: ModuleType, attributes: dict[str, Any], **fields: Any) -> tuple[Reading, set[Issue]]:
    issues: set[Issue] = set()
    assert convention.claims(attributes)
    return convention.read(span(attributes, **fields), issues), issues


def record(attributes: dict[str, Any], **fields: Any) -> Record:
    (found,) = records_of_spans([span(attributes, **fields)])
    return found


def replayed_spans(name: str) -> Iterator[SpanData]:
    """What a real SDK sent for the 58 calls."""
    with gzip.open(DATA / "wire" / "sdk_replay" / f"{name}.jsonl.gz", "rt") as lines:
        for line in lines:
            for found in spans_of_json(json.loads(line)["otlp_json"]):
                assert not isinstance(found, Reject)
                yield found


def replayed_calls(name: str) -> list[Record]:
    return [call for call in records_of_spans(replayed_spans(name)) if call.kind == "llm"]


def logged_calls() -> dict[tuple[str | None, str], Record]:
    """The calls of the replayed sessions as their corpus holds them, by session and messages."""
    with gzip.open(DATA / "traces" / "tau_openai_chat.jsonl.gz", "rt") as lines:
        replayed = [line for line in lines if any(session in line for session in REPLAYED)]
    calls = [openai_chat.parse(json.loads(line)) for line in replayed]
    return {(call.session, said(call)): call for call in calls}


def said(call: Record) -> str:
    return json.dumps(call.messages, sort_keys=True)


_ODD = ("", "{", "[", '{"a":', '"', "__REDACTED__", '[{"type":"text"}]', "LLM", "TOOL", "generation", "tool")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(_ODD)
)
_KEYS = ("role", "content", "type", "name", "args", "kwargs", "messages", "parts", "x")
JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


def attributes_of(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any values, also JSON written into strings, under some of the keys."""
    return st.dictionaries(st.sampled_from(keys), JSON | JSON.map(json.dumps), max_size=12)
