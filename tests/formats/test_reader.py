from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.formats import Issue, Limits, Record, Reject, UnknownFormatError, detect, read
from slmhub.formats.mapped import Mapping
from tests.formats.worlds import FINETUNE, TAU, chat_row, lines_of, packed, stream_of

needs_tau = pytest.mark.skipif(not TAU.exists(), reason=f"{TAU} is not here")
GOOD = chat_row()


def reasons(stream: Any, **options: Any) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in read(stream, **options) if isinstance(item, Reject)]


def test_it_rejects_a_malformed_line_and_reads_the_rest() -> None:
    items = list(read(stream_of(GOOD, b'{"request": ', GOOD)))
    assert [type(item) for item in items] == [Record, Reject, Record]
    assert (items[1].line, items[1].excerpt) == (2, '{"request": ')
    assert "not JSON" in items[1].reason


def test_it_ignores_blank_lines_but_counts_them() -> None:
    assert [line for line, _ in reasons(stream_of(b"", b"  \r", b"nonsense"))] == [3]


def test_it_reads_windows_lines_a_byte_order_mark_and_a_last_line_without_end() -> None:
    line = json.dumps(GOOD).encode()
    items = list(read(io.BytesIO(b"\xef\xbb\xbf" + line + b"\r\n" + line)))
    assert [type(item) for item in items] == [Record, Record]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"messages": "\xff"}', "the line is not JSON: byte 14 is 0xff, which is not UTF-8"),
        (b'{"messages":\0 []}', "the line is not JSON: it holds NUL bytes"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "depth limit exceeded"),
        (b'{"messages":' + b"[" * 300 + b"]" * 300 + b"}", "deeper than 100 levels"),
        (b'{"a\\ud800": 1}', "not JSON"),
        (b"[1, 2]", "a JSON list, expected one object a line"),
        (b'{"b": 1, "a": 2}', "unknown shape: keys a, b; no known format; say by hand which key is which"),
        (b'{"messages": 1, "request": 2}', "nearest is"),
        (b"{}", "keys none"),
    ],
)
def test_it_says_why_a_line_cannot_be_read(line: bytes, reason: str) -> None:
    items = list(read(stream_of(GOOD, line, GOOD)))
    assert isinstance(items[1], Reject)
    assert reason in items[1].reason
    assert len(items[1].excerpt) <= 200
    assert [type(items[0]), type(items[2])] == [Record, Record]


def test_it_replaces_escaped_nul_characters_and_says_so() -> None:
    row = {"messages": [{"role": "user", "content": "a\0b"}, {"role": "assistant", "content": "c"}]}
    (record,) = read(stream_of(json.dumps(row).encode()))
    assert isinstance(record, Record)
    assert record.messages[0]["content"] == "a\ufffdb"
    assert record.attributes["issues"] == [Issue.NUL_REPLACED]


def test_it_rejects_a_line_that_is_too_long_and_reads_on() -> None:
    limits = Limits(line_bytes=2000)
    for size in (2001, 700_000):
        stream = stream_of(GOOD, b'{"x": "' + b"y" * size + b'"}', GOOD)
        items = list(read(stream, limits=limits))
        assert [type(item) for item in items] == [Record, Reject, Record]
        assert items[1].reason == "the line is longer than 2,000 bytes"


def test_it_reads_gzip_by_its_first_bytes_and_several_members() -> None:
    stream = io.BytesIO(packed(lines_of(GOOD)) + packed(lines_of(GOOD)) + b"\0" * 100)
    assert [type(item) for item in read(stream)] == [Record, Record]


def test_it_keeps_what_stands_before_the_break_of_a_truncated_gzip() -> None:
    rows = [chat_row(id=f"c{number}") for number in range(300)]
    data = packed(lines_of(*rows))
    items = list(read(io.BytesIO(data[: len(data) // 2])))
    assert 10 < len(items) < 300
    assert all(isinstance(item, Record) for item in items[:-1])
    assert items[-1] == Reject(len(items), "the gzip data ends before its end: the file is truncated", "")


def test_it_rejects_damaged_gzip_where_it_breaks() -> None:
    data = packed(lines_of(GOOD)) + b"\x1f\x8brubbish"
    assert reasons(io.BytesIO(data))[0][1].startswith("the gzip data is damaged")


def test_it_stops_at_a_zip_bomb_without_unpacking_it() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
    tracemalloc.start()
    found = reasons(io.BytesIO(bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[-1][1] == "the gzip data unpacks to more than 250 times its size"
    assert peak < 60 << 20


def test_it_stops_at_the_size_that_it_was_given() -> None:
    found = reasons(stream_of(*[GOOD] * 50), limits=Limits(total_bytes=10_000))
    assert found[-1][1] == "the file holds more than 10,000 bytes"


def test_it_reads_nothing_from_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    assert list(read(tmp_path / "empty.jsonl")) == []


def test_it_keeps_to_the_format_that_was_asked_for() -> None:
    assert reasons(stream_of(GOOD), format="openai_finetune")[0][1].startswith("unknown shape")
    assert reasons(stream_of(GOOD), format="openai_chat") == []


def test_it_refuses_a_format_that_does_not_exist_before_it_reads() -> None:
    with pytest.raises(UnknownFormatError, match=r"known: auto, .*openai_chat, .*openai_finetune"):
        read(stream_of(GOOD), format="carrier_pigeon")


def test_it_detects_the_format_by_the_keys_present() -> None:
    assert detect([b"rubbish", b"{}", json.dumps(GOOD).encode()]) == "openai_chat"
    assert detect([b'{"messages": []}']) == "openai_finetune"
    assert detect([b"[]", b"\xff"]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "request", "response", "messages", "tools", "functions", "choices", "message", "role", "content", "usage",
    "tool_calls", "function_call", "function", "name", "arguments", "timestamp", "metadata", "error", "id",
    "latency_ms", "ended_at", "cost", "tags", "prompt_tokens", "reward", "stream", "created",
]  # fmt: skip
shaped = st.recursive(
    json_values | st.sampled_from(["user", "assistant", "2024-01-01", "{}", 10**18]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {"request": st.fixed_dictionaries({"messages": shaped}, optional={"tools": shaped, "model": shaped})},
        optional=dict.fromkeys(KEYS[1:], shaped),
    )
    | st.fixed_dictionaries({"messages": shaped}, optional={"tools": shaped, "metadata": shaped})
)
def test_it_never_raises_on_json_of_nearly_the_right_shape(row: Any) -> None:
    (item,) = read(stream_of(row))
    assert isinstance(item, Record | Reject)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_it_never_raises_on_any_bytes(data: bytes, zipped: bool) -> None:
    stream = io.BytesIO(packed(data)[: 400 - len(data)] if zipped else data)
    assert all(isinstance(item, Record | Reject) for item in read(stream))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=30), st.integers(1, 40))
def test_it_finds_the_same_lines_however_the_stream_is_cut(sizes: list[int], step: int) -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(step)

    data = b"{}\n" + b"\n".join(b"x" * size for size in sizes)
    expected = [number for number, part in enumerate(data.split(b"\n"), 1) if part]
    assert [line for line, _ in reasons(Trickle(data))] == expected


def test_it_names_the_trace_of_a_batch_line_after_its_delivery() -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": []}}
    (given,) = read(stream_of(line), delivery="upload-7")
    (unnamed,) = read(stream_of(line))
    assert isinstance(given, Record)
    assert isinstance(unnamed, Record)
    assert (given.trace_id, unnamed.trace_id) == ("upload-7", "batch")


@pytest.mark.parametrize("clock", ["1970-01-01T00:00:00Z", "2100-06-01T00:00:00Z", 0, 4_102_444_800_000])
def test_it_does_without_a_clock_of_another_century_and_says_so(clock: Any) -> None:
    (record,) = read(stream_of(chat_row(timestamp=clock)))
    assert isinstance(record, Record)
    if clock:
        assert record.started_at is None
        assert Issue.TIMESTAMP_UNUSABLE in record.attributes["issues"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"request": {"messages": [], "n": ' + b"1" * 10_000_000 + b"}}", ""),
        (b'{"request": {"messages": [{"role": "user", "content": "\\ud800"}]}}', "not JSON"),
    ],
)
def test_it_survives_numbers_and_characters_that_no_one_can_hold(line: bytes, reason: str) -> None:
    items = list(read(stream_of(GOOD, line, GOOD)))
    assert [type(items[0]), type(items[2])] == [Record, Record]
    assert isinstance(items[1], Reject)
    assert reason in items[1].reason


def test_it_believes_the_last_of_two_equal_keys() -> None:
    line = json.dumps(GOOD).encode()[:-1] + b', "session_id": "s-2"}'
    (record,) = read(stream_of(line))
    assert isinstance(record, Record)
    assert record.session == "s-2"


def test_it_reads_the_rows_inside_an_object_that_only_stands_around_them() -> None:
    items = list(read(io.BytesIO(json.dumps({"rows": [GOOD, {"x": 1}, GOOD], "total": 3}).encode())))
    assert [type(item) for item in items] == [Record, Reject, Record]
    assert items[1].reason.startswith("item 2: unknown shape: keys x")


def test_it_reads_rows_by_the_mapping_that_it_was_given() -> None:
    (record,) = read(stream_of({"q": "Hi?", "a": "Hello."}), mapping=Mapping(prompt="q", output="a"))
    assert isinstance(record, Record)
    assert (record.messages[0]["content"], record.output) == (
        "Hi?",
        {"role": "assistant", "content": "Hello."},
    )


@needs_tau
def test_it_reads_the_whole_tau_corpus_in_constant_memory() -> None:
    program = (
        "import resource, sys\n"
        "from slmhub.formats import read, Reject\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "kinds = [isinstance(item, Reject) for item in read(sys.argv[1])]\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(len(kinds), sum(kinds), grown)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(TAU)], capture_output=True, text=True, check=True
    )
    read_lines, rejected, grown_kib = map(int, ran.stdout.split())
    assert (read_lines, rejected) == (5401, 0)
    assert grown_kib < 40 * 1024


@needs_tau
def test_it_flags_the_tau_turns_that_the_harness_wrote() -> None:
    injected = [
        item.attributes["issues"]
        for item in read(TAU)
        if isinstance(item, Record) and item.attributes["metadata"]["harness_injected"]
    ]
    assert injected == [[Issue.ARGUMENTS_NOT_JSON]] * 99


@pytest.mark.skipif(not FINETUNE.exists(), reason=f"{FINETUNE} is not here")
def test_it_reads_published_fine_tuning_files() -> None:
    rows = {path.name: list(read(path)) for path in sorted(FINETUNE.glob("openai_*.jsonl"))}
    assert {name: len(items) for name, items in rows.items()} == {
        "openai_drone_training_excerpt.jsonl": 3,
        "openai_toy_chat_fine_tuning.jsonl": 5,
    }
    assert all(isinstance(item, Record) for items in rows.values() for item in items)
