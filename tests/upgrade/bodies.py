"""Files and bodies that the filler sends to the version before."""

from __future__ import annotations

import json
from typing import Any

NOW = 1_790_000_000_000_000_000


def chat_log(first: int, count: int) -> bytes:
    rows = (
        {
            "id": f"old-{number}",
            "session_id": f"old-session-{number // 2}",
            "timestamp": "2026-11-20T10:00:00+00:00",
            "request": {
                "model": "gpt-large-sim",
                "messages": [
                    {
                        "role": "user",
                        "content": f"Parcel {number}? Tell anna.{number}@example.org or +49 151 2345 6789.",
                    }
                ],
            },
            "response": {
                "choices": [{"message": {"role": "assistant", "content": f"Parcel {number} is on its way."}}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 8},
            },
            "latency_ms": 700 + number,
        }
        for number in range(first, first + count)
    )
    return lines(rows)


def strange_rows(count: int) -> bytes:
    return lines(
        {
            "ref": f"row-{number}",
            "talk": {"turns": [{"role": "user", "content": f"Where is parcel {number}?"}]},
            "bot": {"said": f"Parcel {number} is on its way.", "engine": "house-7b"},
            "meta": {"thread": f"t{number}"},
        }
        for number in range(count)
    )


def lines(rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def otlp(name: str) -> dict[str, Any]:
    def text(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": value}}

    said = [{"role": "user", "parts": [{"type": "text", "content": f"Is it {name}?"}]}]
    answer = [
        {"role": "assistant", "parts": [{"type": "text", "content": "It is."}], "finish_reason": "stop"}
    ]
    span = {
        "traceId": name.encode().hex().ljust(32, "0")[:32],
        "spanId": name.encode().hex().ljust(16, "1")[:16],
        "name": "chat gpt",
        "startTimeUnixNano": str(NOW),
        "endTimeUnixNano": str(NOW + 10**9),
        "attributes": [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", "gpt"),
            text("gen_ai.input.messages", json.dumps(said)),
            text("gen_ai.output.messages", json.dumps(answer)),
        ],
    }
    resource = {"attributes": [text("service.name", "support-desk")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def langfuse(name: str) -> dict[str, Any]:
    at = "2026-11-20T10:00:00Z"
    body = {
        "id": f"observation-{name}",
        "traceId": f"trace-{name}",
        "type": "GENERATION",
        "model": "gpt",
        "startTime": at,
        "input": [{"role": "user", "content": f"Langfuse asks: {name}?"}],
        "output": {"role": "assistant", "content": "Yes."},
    }
    event = {"id": f"event-{name}", "type": "generation-create", "timestamp": at, "body": body}
    return {"batch": [event]}


def langsmith(name: str) -> dict[str, Any]:
    run_id = name.encode().hex().ljust(32, "0")[:32]
    at = "2026-11-20T10:00:00Z"
    run = {
        "id": run_id,
        "trace_id": run_id,
        "dotted_order": f"20261120T100000000000Z{run_id}",
        "name": "ChatOpenAI",
        "run_type": "llm",
        "start_time": at,
        "end_time": at,
        "inputs": {"messages": [{"role": "user", "content": f"LangSmith asks: {name}?"}]},
        "outputs": {"choices": [{"message": {"role": "assistant", "content": "Yes."}}]},
    }
    return {"post": [run], "patch": []}
