"""POST /runs/multipart as the real client sends it, and as nobody should."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from langsmith import Client, traceable

from slmhub.formats.merge import joined
from slmhub.formats.platforms.langsmith_multipart import MultipartError, batch_of
from slmhub.formats.platforms.langsmith_runs import records
from slmhub.formats.records import MalformedError, Record, Reject
from tests.formats.inbox import Inbox, running

FORM = "multipart/form-data; boundary=xyz"
QUESTION = [{"role": "user", "content": "Where is order #W1? – ünï"}]
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "On its way."}, "finish_reason": "stop"}]}


def info_of(flags: dict[str, Any]) -> dict[str, Any]:
    """What a LangSmith says of itself; it decides what the client sends."""
    limits = {
        "use_multipart_endpoint": flags.get("multipart", True),
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 1,
        "scale_down_nempty_trigger": 4,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
    }
    return {"version": "0.12.0", "instance_flags": flags, "batch_ingest_config": limits}


@pytest.fixture
def inbox(request: pytest.FixtureRequest) -> Iterator[Inbox]:
    with running(info_of(request.param)) as server:
        yield server


def ask(inbox: Inbox) -> None:
    """An agent with one model call and one tool call, through the real client."""
    client = Client(api_url=inbox.url, api_key="ls-test", auto_batch_tracing=True)
    if inbox.info["instance_flags"].get("zstd_compression_enabled"):
        _wait_for(lambda: client.compressed_traces is not None)

    @traceable(run_type="llm", name="ChatOpenAI", client=client, metadata={"ls_provider": "openai"})
    def complete(messages: list[dict[str, str]], model: str) -> dict[str, Any]:
        return ANSWER

    @traceable(run_type="tool", name="get_order", client=client)
    def get_order(order_id: str) -> str:
        raise LookupError("no such order")

    @traceable(
        run_type="chain",
        name="support-agent",
        client=client,
        metadata={"session_id": "s-1"},
        tags=["eu"],
        enabled=True,
    )
    def agent(question: str) -> str:
        complete(QUESTION, model="gpt-4o")
        with pytest.raises(LookupError):
            get_order("#W1")
        return "done"

    agent("Where is order #W1?", langsmith_extra={"client": client})
    client.flush()
    client.cleanup()


def _wait_for(happened: Callable[[], bool]) -> None:
    """The client learns in the background what its server can do."""
    give_up = time.monotonic() + 10
    while not happened() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert happened()


def batches(inbox: Inbox) -> list[dict[str, Any]]:
    found = []
    for path, headers, body in inbox.requests:
        if path.endswith("/runs/multipart"):
            found.append(batch_of(body, headers["content-type"]))
        elif path.endswith("/runs/batch"):
            found.append(json.loads(body))
    return found


ALL = [{"multipart": True, "zstd_compression_enabled": True}, {"multipart": True}, {"multipart": False}]


@pytest.mark.parametrize("inbox", ALL, indirect=True, ids=["zstd", "multipart", "batch"])
def test_it_reads_what_the_real_client_posts(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    ask(inbox)
    found = list(joined(record for batch in batches(inbox) for record in records(batch)))
    spans = {record.name: record for record in found if isinstance(record, Record) and not record.partial}
    assert len(found) == len(spans)
    assert set(spans) == {"support-agent", "ChatOpenAI", "get_order"}
    call = spans["ChatOpenAI"]
    assert call.messages == QUESTION
    assert call.output == ANSWER["choices"][0]["message"]
    assert (call.model, call.provider, call.session) == ("gpt-4o", "openai", "s-1")
    assert call.parent_id == spans["support-agent"].span_id == call.trace_id
    assert "LookupError" in (spans["get_order"].error or "")
    assert spans["support-agent"].tags == ["eu"]
    assert call.emitter == "langsmith-py 0.15.0"


@pytest.mark.parametrize("inbox", ALL[:1], indirect=True)
def test_the_whole_body_may_be_zstd(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    ask(inbox)
    packed = [headers.get("content-encoding") for path, headers, _ in inbox.requests if "multipart" in path]
    assert packed
    assert set(packed) == {"zstd"}


def part(name: str, data: bytes, headers: str = "Content-Type: application/json") -> bytes:
    return (
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n{headers}\r\n\r\n'.encode()
        + data
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


POST = part("post.r1", json.dumps({"id": "r1", "run_type": "llm", "trace_id": "r1"}).encode())


def test_it_puts_the_parts_of_a_run_together() -> None:
    batch = batch_of(
        form(POST, part("post.r1.inputs", b'{"a":1}'), part("patch.r1.outputs", b'{"b":2}')), FORM
    )
    assert batch["post"] == [{"id": "r1", "run_type": "llm", "trace_id": "r1", "inputs": {"a": 1}}]
    assert batch["patch"] == [{"id": "r1", "outputs": {"b": 2}}]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_it_unpacks_a_packed_part(pack: Any) -> None:
    batch = batch_of(form(POST, part("post.r1.inputs", pack(b'{"a":1}'))), FORM)
    assert batch["post"][0]["inputs"] == {"a": 1}


def test_it_notes_an_attachment_without_keeping_its_bytes() -> None:
    data = b"\x00\r\n--xyz\r\n\xff"
    length = f"Content-Type: image/png\r\nContent-Length: {len(data)}"
    batch = batch_of(
        form(POST, part("attachment.r1.photo", data, length), part("post.r1.inputs", b"{}")), FORM
    )
    assert batch["post"][0]["attachments"] == {"photo": {"content_type": "image/png", "bytes": len(data)}}
    assert batch["post"][0]["inputs"] == {}


def test_it_reads_feedback_as_a_score_of_its_run() -> None:
    feedback = {"run_id": "r1", "trace_id": "t1", "key": "helpful", "score": 1, "comment": "yes"}
    (record,) = records(batch_of(form(part("feedback.f1", json.dumps(feedback).encode())), FORM))
    assert isinstance(record, Record)
    assert (record.trace_id, record.span_id, record.partial) == ("t1", "r1", True)
    assert record.attributes["scores"] == {"helpful": {"score": 1, "comment": "yes"}}


def test_it_rejects_a_broken_part_alone() -> None:
    batch = batch_of(form(POST, part("post.r1.inputs", b"{"), part("post.r1.outputs", b"{}")), FORM)
    assert batch["post"][0]["outputs"] == {}
    assert batch["rejected"] == [
        {"part": "post.r1.inputs", "reason": "it is not JSON: unexpected end of data at character 1"}
    ]
    (run, reject) = records(batch)
    assert isinstance(run, Record)
    assert isinstance(reject, Reject)
    assert reject.reason.startswith("post.r1.inputs: it is not JSON")


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (form(POST), "application/json", "must be multipart/form-data"),
        (form(POST), "multipart/form-data", "with a boundary"),
        (b"{}", FORM, "does not occur"),
        (POST[:-1], FORM, "cut off"),
        (b"--xyz\r\nContent-Disposition", FORM, "no headers"),
        (form(part("", b"{}")), FORM, "no name"),
        (zstandard.compress(form(POST))[:-9], FORM, "does not occur|damaged|cut off"),
        (gzip.compress(form(POST))[:-9], FORM, "cut off"),
    ],
)
def test_it_says_where_a_body_breaks(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(MultipartError, match=reason):
        batch_of(body, content_type)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_it_stops_at_a_bomb(pack: Any) -> None:
    with pytest.raises(MultipartError, match="unpacks to more"):
        batch_of(pack(form(POST) + b"\0" * 5_000_000), FORM, largest=1_000_000)


def test_many_small_bombs_share_one_allowance() -> None:
    bomb = gzip.compress(b" " * 600_000)
    batch = batch_of(form(part("post.a", bomb), part("post.b", bomb)), FORM, largest=1_000_000)
    assert "unpacks to more" in batch["rejected"][1]["reason"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_body_raises_nothing_else(data: st.DataObject) -> None:
    whole = form(
        POST, part("post.r1.inputs", b'{"messages":[]}'), part("feedback.f", b'{"run_id":"r1","key":"k"}')
    )
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    try:
        found = list(records(batch_of(damaged, FORM)))
    except MalformedError:
        return
    assert all(isinstance(item, Record | Reject) for item in found)
