"""Small logged calls for tests: rows as an agent's log holds them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson

from apps.accounts.models import Agent
from apps.ingest.services import IngestSummary, ingest
from apps.traces.models import Source
from slmhub import formats

PROMPT = {"role": "system", "content": "You are the support desk. Look orders up before you answer."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "lookup_order",
            "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
        },
    }
]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def asks_tool(arguments: Any, name: str = "lookup_order", id: str = "call_1") -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    function = {"name": name, "arguments": written}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id, "type": "function", "function": function}],
    }


def tool_says(content: Any, id: str = "call_1") -> dict[str, Any]:
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return {"role": "tool", "tool_call_id": id, "content": text}


def row(
    id: str, messages: list[dict[str, Any]], answer: dict[str, Any] | None, **fields: Any
) -> dict[str, Any]:
    """One logged call; `request` and `response` fields go in by those names."""
    request = {"model": "gpt-test", "messages": messages, "tools": TOOLS, **fields.pop("request", {})}
    choices = [{"message": answer, "finish_reason": "stop"}] if answer else []
    response = {
        "choices": choices,
        "usage": {"prompt_tokens": 10, "completion_tokens": 3},
        **fields.pop("response", {}),
    }
    return {"id": id, "timestamp": "2026-01-05T10:00:00Z", "request": request, "response": response, **fields}


def session_rows(session: str = "s1", mail: str = "ann.lee@acme.org") -> list[dict[str, Any]]:
    """Three calls of one session: question, tool call, answer; each repeats what was before."""
    first = [PROMPT, user(f"Where is order A-1043? Write to {mail}.")]
    call, result = asks_tool({"order": "A-1043", "mail": mail}), tool_says({"status": "sent", "mail": mail})
    then = [*first, call, result]
    last = [*then, says("It was sent."), user("Thanks a lot")]
    times = [f"2026-01-05T10:0{minute}:00Z" for minute in range(3)]
    answers = [call, says("It was sent."), says("You are welcome.")]
    return [
        row(f"{session}-{n}", messages, answer, session_id=session, timestamp=time, latency_ms=100.0 * n)
        for n, (messages, answer, time) in enumerate(
            zip([first, then, last], answers, times, strict=True), start=1
        )
    ]


def lines(rows: list[Any]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in rows)


def written(path: Path, rows: list[Any]) -> Path:
    data = lines(rows)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def records(rows: list[Any]) -> list[formats.Record | formats.Reject]:
    return list(formats.read(io.BytesIO(lines(rows))))


def taken_in(agent: Agent, rows: list[Any], **more: Any) -> IngestSummary:
    return ingest(agent=agent, records=records(rows), source=Source.API, **more)
