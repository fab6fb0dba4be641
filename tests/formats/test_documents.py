from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.formats import Limits, Record, Reject, read
from slmhub.formats.files.documents import rows_of
from tests.formats.worlds import chat_row, lines_of

GOOD = chat_row()
TIGHT = Limits(document_bytes=20_000, line_bytes=20_000)


def items(data: bytes, **options: Any) -> list[Record | Reject]:
    return list(read(io.BytesIO(data), **options))


def kinds(found: list[Record | Reject]) -> str:
    return "".join("R" if isinstance(item, Record) else "x" for item in found)


@pytest.mark.parametrize("indent", [None, 2])
def test_it_reads_a_list_and_numbers_its_bad_items(indent: int | None) -> None:
    found = items(json.dumps([GOOD, {"x": 1}, 7, "text", [], GOOD], indent=indent).encode())
    assert kinds(found) == "RxxxxR"
    assert [item.line for item in found if isinstance(item, Reject)] == [2, 3, 4, 5]
    assert found[1].reason.startswith("item 2 of the list: unknown shape: keys x")
    assert "JSON int" in found[2].reason


def test_it_reads_the_items_around_one_that_is_no_json() -> None:
    good = json.dumps(GOOD).encode()
    found = items(b"[" + good + b', {"a" 1}, ' + good + b", {'b': 2}, " + good + b"]")
    assert kinds(found) == "RxRxR"
    assert "item 2 of the list: the line is not JSON" in found[1].reason


def test_it_says_that_a_list_was_cut() -> None:
    data = json.dumps([GOOD, GOOD, GOOD]).encode()
    inside, between = items(data[:-20]), items(data[: data.rindex(b', {"id"')])
    assert kinds(inside) == kinds(between) == "RRx"
    assert inside[-1].reason == "item 3 of the list: the list ends inside this item: the file is truncated"
    assert between[-1].reason == "after item 2: the list has no end: the file is truncated"


def test_it_steps_over_an_item_that_is_too_long() -> None:
    long = chat_row(metadata={"parts": ["y" * 1000] * 60})
    found = items(json.dumps([GOOD, long, GOOD]).encode(), limits=TIGHT)
    assert kinds(found) == "RxR"
    assert found[1].reason == "item 2 of the list: longer than 20,000 bytes"


def test_it_gives_up_inside_a_text_that_is_too_long_to_step_over() -> None:
    found = items(json.dumps([GOOD, {"a": "y" * 100_000}, GOOD]).encode(), limits=TIGHT)
    assert kinds(found) == "Rx"
    assert "longer than 20,000 bytes" in found[1].reason


@pytest.mark.parametrize("indent", [None, 2])
def test_it_reads_one_document(indent: int | None) -> None:
    assert kinds(items(json.dumps(GOOD, indent=indent).encode())) == "R"


def test_it_reads_documents_one_after_another_and_keeps_their_lines() -> None:
    pretty = json.dumps(GOOD, indent=2)
    found = items(f'{pretty}\n{pretty}{{"a":\n1}}\n\n{pretty}\n'.encode())
    assert kinds(found) == "RRxR"
    assert found[2].line == 2 * len(pretty.splitlines())


def test_it_reads_lists_one_after_another() -> None:
    assert kinds(items(json.dumps([GOOD], indent=1).encode() * 2)) == "RR"


def test_it_says_that_a_document_was_cut() -> None:
    (found,) = items(json.dumps(GOOD, indent=2).encode()[:-5])
    assert isinstance(found, Reject)
    assert found.reason == "the JSON ends before its end: the file is truncated"


def test_it_does_not_take_a_broken_first_line_for_a_document() -> None:
    assert kinds(items(b'{"request": \n' + lines_of(GOOD, GOOD))) == "xRR"
    assert kinds(items(lines_of(GOOD, b"rubbish", GOOD))) == "RxR"


def test_it_reads_a_long_document_item_by_item_with_what_stands_before() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "usage": {"a": 1}}]
    simulation = {"id": "s", "messages": talk, "reward_info": {"reward": 1.0}, "task_id": "t"}
    info = {"agent_info": {"llm": "gpt-4.1"}}
    data = json.dumps(
        {"info": info, "simulations": [simulation | {"id": f"s{n}"} for n in range(300)], "z": 1}
    )
    found = items(data.encode(), limits=TIGHT)
    records = [item for item in found if isinstance(item, Record)]
    assert [record.trace_id for record in records] == [f"s{n}" for n in range(300)]
    assert {record.model for record in records} == {"gpt-4.1"}
    assert "its keys z were not read" in found[-1].reason


def test_it_says_that_a_long_document_was_cut() -> None:
    data = json.dumps({"data": [GOOD] * 100}).encode()
    found = items(data[:-500], limits=TIGHT)
    assert kinds(found[:-1]).count("R") == 99
    assert "the JSON document is damaged or truncated" in found[-1].reason


def test_it_builds_a_long_document_without_a_list_that_it_knows() -> None:
    (record,) = items(json.dumps(chat_row(metadata={"note": ["y" * 50] * 1000})).encode(), limits=TIGHT)
    assert isinstance(record, Record)
    assert len(record.attributes["metadata"]["note"]) == 1000


def test_it_refuses_an_immense_document_without_a_list_that_it_knows() -> None:
    (found,) = items(json.dumps({"a": ["x" * 100] * 9000}).encode(), limits=TIGHT)
    assert isinstance(found, Reject)
    assert "longer than 160,000 bytes without an item of a list" in found.reason


def test_it_keeps_numbers_as_python_has_them() -> None:
    rows = [{"a": 1, "b": 1.5, "c": 12345678901234567890123}]
    long = {"data": [{"a": 1, "b": 1.5, "c": -2e9}] * 1000}
    (item,) = rows_of(iter([json.dumps(rows).encode()]), TIGHT).rows
    assert json.loads(item.data) == rows[0]
    first = next(rows_of(iter([json.dumps(long).encode()]), TIGHT).rows)
    assert first.data == b'{"data":[{"a":1,"b":1.5,"c":-2000000000.0}]}'


def test_it_says_that_a_long_document_holds_a_number_beyond_all_bounds() -> None:
    found = items(b'{"data": [' + b'{"a": 1},' * 5000 + b'{"a": ' + b"1" * 100 + b"}]}", limits=TIGHT)
    assert "the JSON document is damaged or truncated" in found[-1].reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_it_reads_other_encodings_by_their_mark(encoding: str) -> None:
    text = lines_of(GOOD, GOOD).decode()
    data = ("\ufeff" if encoding.endswith("le") else "") + text
    assert kinds(items(data.encode(encoding))) == "RR"


def test_it_says_that_a_text_breaks_its_own_encoding() -> None:
    (found,) = items("{}".encode("utf-16") + b"\x00\xd8\x00")
    assert isinstance(found, Reject)
    assert "not valid UTF-16" in found.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"id,model,prompt\n1,gpt,Hello\n", "this looks like a CSV table; export JSON lines"),
        (b"Dear all,\nplease find the calls attached.\n", "this is not JSON"),
        (b"\n\n  \xff\xfe\xfd", "this is not JSON"),
    ],
)
def test_it_refuses_what_is_no_json_with_one_reason(data: bytes, reason: str) -> None:
    (found,) = items(data)
    assert isinstance(found, Reject)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("data", [b"[" * 500_000, b'{"a":' * 200_000, b"[" + b"[" * 300 + b"]" * 301])
def test_it_refuses_a_depth_bomb(data: bytes) -> None:
    found = items(data)
    assert kinds(found) == "x"


def test_it_refuses_binary_data_that_only_begins_like_an_export() -> None:
    (found,) = items(b"\x0a\x03\x0a\x01\x05\x0a\x02\x0a\x7f")
    assert isinstance(found, Reject)
    assert "no OTLP export" in found.reason


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.lists(st.integers(), max_size=3)),
        max_size=6,
    ),
    st.integers(1, 50),
    st.sampled_from([None, 1]),
)
def test_it_cuts_a_list_at_the_same_places_however_it_arrives(
    rows: list[Any], step: int, indent: int | None
) -> None:
    data = json.dumps(rows, indent=indent).encode()
    blocks = [data[at : at + step] for at in range(0, len(data), step)]
    assert [json.loads(row.data) for row in rows_of(iter(blocks), Limits()).rows] == rows
