from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.formats.merge import demote_wrappers, joined, merged
from slmhub.formats.records import Issue, Record, Reject, SpanKind, Usage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def part(**fields: Any) -> Record:
    given: dict[str, Any] = {
        "kind": SpanKind.OTHER, "name": "", "trace_id": "t", "span_id": "s", "format": "f", "partial": True,
    }  # fmt: skip
    return Record(**given | fields)


def copied(record: Record) -> Record:
    return msgspec.convert(msgspec.to_builtins(record), Record)


def put_together(parts: list[Record]) -> Record:
    (whole,) = joined(copied(each) for each in parts)
    assert isinstance(whole, Record)
    return whole


def telling(record: Record) -> dict[str, Any]:
    """Everything but the order of keys, which says nothing."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found


MESSAGES = [{"role": "user", "content": f"message {at}"} for at in range(6)]
FIELDS: dict[str, Any] = {
    "session": "s1",
    "user": "u1",
    "model": "gpt-4o",
    "provider": "openai",
    "started_at": NOON,
    "ended_at": NOON + timedelta(seconds=2),
    "usage": Usage(input=7, output=3),
    "output": {"role": "assistant", "content": "done"},
    "tools": [{"type": "function", "function": {"name": "a"}}],
    "cost": 0.5,
    "finish_reason": "stop",
    "tags": ["b", "a"],
    "parameters": {"temperature": 0.5},
    "attributes": {"region": "eu", "issues": ["truncated"]},
    "dropped": 2,
}


@st.composite
def parts_of_one_span(draw: st.DrawFn) -> list[Record]:
    """Parts that agree on what they say, each with some of the fields and messages, and the span itself."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=6))
        places = sorted(draw(st.sets(st.integers(0, len(MESSAGES) - 1), max_size=4)))
        parts.append(
            part(
                messages=[MESSAGES[at] for at in places],
                message_times=[1000 + at for at in places],
                **{name: FIELDS[name] for name in names},
            )
        )
    if draw(st.booleans()):
        parts.append(
            part(partial=False, name="chat", kind=SpanKind.LLM, format="otel_genai_events", model="m")
        )
    return parts


@settings(max_examples=300, deadline=None)
@given(parts=parts_of_one_span(), data=st.data())
def test_it_makes_the_same_record_whatever_the_order_and_the_redelivery(
    parts: list[Record], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(parts), max_size=3))
    shuffled = data.draw(st.permutations([*parts, *again]))
    assert telling(put_together(shuffled)) == telling(put_together(parts))


@settings(max_examples=200, deadline=None)
@given(parts=parts_of_one_span(), data=st.data())
def test_it_makes_the_same_record_however_the_parts_are_grouped(
    parts: list[Record], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(parts)))
    groups = [put_together(group) for group in (parts[:at], parts[at:]) if group]
    assert telling(put_together(groups)) == telling(put_together(parts))


def test_it_takes_a_repeated_part_as_nothing_new() -> None:
    whole = part(partial=False, name="a", **FIELDS)
    once = merged(copied(whole), copied(whole))
    assert merged(copied(once), copied(whole)) == once


def test_it_keeps_the_later_of_two_values_in_either_order() -> None:
    old = part(name="old", model="a", parameters={"n": 1, "k": 1}, revised_at=NOON)
    new = part(name="new", parameters={"n": 2}, revised_at=NOON + timedelta(seconds=1))
    for order in permutations([old, new]):
        whole = put_together(list(order))
        assert (whole.name, whole.model, whole.parameters) == ("new", "a", {"n": 2, "k": 1})


def test_it_lets_a_later_update_change_what_the_span_said() -> None:
    span = part(partial=False, name="draft", revised_at=NOON)
    update = part(name="final", revised_at=NOON + timedelta(seconds=1))
    for order in permutations([span, update]):
        assert put_together(list(order)).name == "final"


def test_it_measures_the_latency_once_both_clocks_are_known() -> None:
    start, early = part(started_at=NOON), part(ended_at=NOON + timedelta(seconds=1), revised_at=NOON)
    late = part(ended_at=NOON + timedelta(seconds=2), revised_at=NOON + timedelta(seconds=2))
    for order in permutations([start, early, late]):
        assert put_together(list(order)).latency_ms == 2000


def test_it_believes_the_span_before_a_mere_part_of_it() -> None:
    span, log = part(partial=False, name="chat", model="a"), part(name="log events", model="b")
    for order in permutations([span, log]):
        whole = put_together(list(order))
        assert (whole.name, whole.model, whole.partial) == ("chat", "a", False)


def test_it_orders_messages_by_their_times() -> None:
    first = part(messages=[MESSAGES[0], MESSAGES[2]], message_times=[1, 3])
    second = part(messages=[MESSAGES[1]], message_times=[2])
    for order in permutations([first, second, second]):
        assert put_together(list(order)).messages == MESSAGES[:3]


def test_it_keeps_a_message_that_was_said_twice() -> None:
    yes = {"role": "user", "content": "yes"}
    whole = put_together([part(messages=[yes], message_times=[1]), part(messages=[yes], message_times=[2])])
    assert whole.messages == [yes, yes]


def test_it_keeps_the_events_of_both_parts_in_their_order() -> None:
    events = [{"name": "a", "time_ns": 1}, {"name": "b", "time_ns": 2}]
    parts = [part(attributes={"events": [events[1]]}), part(attributes={"events": [events[0]]})]
    for order in permutations([*parts, parts[0]]):
        assert put_together(list(order)).attributes["events"] == events


def test_it_forgets_missing_content_when_another_part_brings_it() -> None:
    bare = part(partial=False, attributes={"issues": ["content_off"]})
    logs = part(messages=[MESSAGES[0]], message_times=[1])
    for order in permutations([bare, logs]):
        assert "issues" not in put_together(list(order)).attributes


def test_it_remembers_content_that_a_part_hides() -> None:
    bare = part(partial=False, attributes={"issues": ["content_off"]})
    hiding = part(messages=[{"role": "user", "content": None}], attributes={"issues": ["content_off"]})
    half = part(messages=[MESSAGES[0]], attributes={"issues": ["content_off"]})
    assert put_together([bare, hiding]).attributes["issues"] == ["content_off"]
    assert put_together([half, half]).attributes["issues"] == ["content_off"]


def test_it_yields_the_oldest_first_when_too_many_wait() -> None:
    records = [part(span_id=str(at)) for at in range(5)]
    found = list(joined([*records, Reject(0, "no", "")], most=2))
    assert [item.span_id for item in found if isinstance(item, Record)] == ["0", "1", "2", "3", "4"]
    assert isinstance(found[3], Reject)


def call(span_id: str, parent_id: str | None = None, kind: SpanKind = SpanKind.LLM) -> Record:
    usage = Usage(input=10, output=1)
    return part(
        span_id=span_id, parent_id=parent_id, kind=kind, partial=False, usage=usage, cost=0.1, attributes={}
    )


def kinds(records: list[Record]) -> dict[str, str]:
    demote_wrappers(records)
    return {record.span_id: record.kind.value for record in records}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_it_leaves_only_the_leaf_of_a_chain_of_wrappers(order: tuple[int, ...]) -> None:
    records = [call("a"), call("b", "a"), call("c", "b")]
    assert kinds([records[at] for at in order]) == {"a": "chain", "b": "chain", "c": "llm"}
    assert sum(record.usage.input or 0 for record in records) == 10
    assert records[0].attributes == {
        "issues": [Issue.WRAPS_MODEL_CALL.value],
        "usage_reported": {"input": 10, "output": 1},
        "cost_reported": 0.1,
    }


def test_it_sees_a_wrapper_through_other_spans() -> None:
    between = call("b", "a", SpanKind.CHAIN)
    assert kinds([call("c", "b"), between, call("a")]) == {"c": "llm", "b": "chain", "a": "chain"}


def test_it_leaves_an_embedding_below_a_model_call_alone() -> None:
    assert kinds([call("a"), call("b", "a", SpanKind.EMBEDDING)]) == {"a": "llm", "b": "embedding"}


def test_it_demotes_nothing_in_another_trace_or_without_the_parent() -> None:
    elsewhere = call("a")
    elsewhere.trace_id = "other"
    assert kinds([elsewhere, call("b", "a")]) == {"a": "llm", "b": "llm"}


def test_it_ends_where_parents_run_in_a_circle() -> None:
    assert kinds([call("a", "b"), call("b", "a"), call("c", "c")]) == {"a": "llm", "b": "llm", "c": "llm"}


def test_it_demotes_once_however_often_it_is_asked() -> None:
    records = [call("a"), call("b", "a")]
    demote_wrappers(records)
    before = telling(records[0])
    demote_wrappers(records)
    assert telling(records[0]) == before
