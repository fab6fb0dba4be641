from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.formats.worlds import chat_row, lines_of

GOOD = chat_row()


def run(
    *arguments: str | Path, given: bytes = b"", ends: int = 0
) -> tuple[list[Any], list[str], dict[str, int]]:
    command = [sys.executable, "-m", "slmhub.formats", *map(str, arguments)]
    ran = subprocess.run(command, input=given, capture_output=True, check=False)
    assert ran.returncode == ends
    *complaints, summary = ran.stderr.decode().splitlines()
    return [json.loads(line) for line in ran.stdout.splitlines()], complaints, json.loads(summary)


def test_it_prints_spans_and_a_summary(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl.gz"
    file.write_bytes(gzip.compress(lines_of(GOOD, b"rubbish")))
    (span,), (complaint,), summary = run(file)
    assert (span["kind"], span["started_at"]) == ("llm", "2024-11-18T09:03:13Z")
    assert list(span["usage"]) == ["input", "output", "cached_input", "cache_write", "reasoning"]
    assert complaint.startswith(f"{file}:2: the line is not JSON")
    assert summary == {"read": 2, "spans": 1, "calls": 1, "rejected": 1}


def test_it_reads_several_files_containers_and_standard_input(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.jsonl", lines_of(GOOD))
    (tmp_path / "b.json").write_text(json.dumps([GOOD, GOOD], indent=2))
    spans, complaints, summary = run(tmp_path / "a.zip", tmp_path / "b.json", "-", given=lines_of(GOOD))
    assert (len(spans), complaints) == (4, [])
    assert summary == {"read": 4, "spans": 4, "calls": 4, "rejected": 0}


def test_it_says_which_file_is_missing_and_reads_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(lines_of(GOOD))
    spans, complaints, _ = run(tmp_path / "a.jsonl", tmp_path / "b.jsonl", ends=1)
    assert len(spans) == 1
    assert complaints == [f"{tmp_path / 'a.jsonl'}: No such file or directory"]


def test_it_puts_the_parts_of_a_call_together_across_files(tmp_path: Path) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    message = {"role": "assistant", "content": "Hello"}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    answered = {"custom_id": "a", "response": {"status_code": 200, "body": answer}, "error": None}
    (tmp_path / "in.jsonl").write_bytes(lines_of(asked))
    (tmp_path / "out.jsonl").write_bytes(lines_of(answered))
    (span,), _, summary = run(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert (span["messages"][0]["content"], span["output"]["content"]) == ("Hi", "Hello")
    assert summary == {"read": 2, "spans": 1, "calls": 1, "rejected": 0}


def test_it_puts_a_posted_run_and_its_patch_together(tmp_path: Path) -> None:
    begun = {
        "id": "r1", "trace_id": "t1", "dotted_order": "20260105T100000000000Zr1", "name": "ask",
        "run_type": "llm", "start_time": "2026-01-05T10:00:00Z", "session_name": "tau",
        "inputs": {"messages": [{"role": "user", "content": "Hi"}]}, "outputs": {},
    }  # fmt: skip
    outputs = {"messages": [{"role": "assistant", "content": "Hello"}]}
    ended = {key: begun[key] for key in ("id", "trace_id", "dotted_order", "name", "run_type", "start_time")}
    ended |= {"end_time": "2026-01-05T10:00:01Z", "outputs": outputs}
    (tmp_path / "runs.jsonl").write_bytes(lines_of({"post": [begun]}, {"patch": [ended]}))
    (span,), _, summary = run(tmp_path / "runs.jsonl")
    assert (span["messages"][0]["content"], span["output"]["content"]) == ("Hi", "Hello")
    assert (span["partial"], summary["calls"]) == (False, 1)


def test_it_gives_every_span_of_a_trace_the_session_that_one_names(tmp_path: Path) -> None:
    def observation(one: str, parent: str, **attributes: str) -> dict[str, Any]:
        told = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
        return {
            "traceId": "ab" * 16, "spanId": one * 8, "parentSpanId": parent, "name": one, "attributes": told,
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
        }  # fmt: skip

    spans = [
        observation("0a", "", **{"session.id": "s-1", "openinference.span.kind": "AGENT"}),
        observation("0b", "0a" * 8, **{"openinference.span.kind": "LLM"}),
    ]
    (tmp_path / "spans.jsonl").write_bytes(lines_of({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    found, _, _ = run(tmp_path / "spans.jsonl")
    assert [span["session"] for span in found] == ["s-1", "s-1"]
