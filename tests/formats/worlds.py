"""Small files as an emitter would write them."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

TAU = Path(__file__).parents[3] / "shared/data/traces/tau_openai_chat.jsonl.gz"
FINETUNE = Path(__file__).parents[3] / "shared/data/finetune_formats"

LOOKUP = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_order", "arguments": '{"order_id": "#W1"}'},
}


def chat_row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "chatcmpl-1",
        "session_id": "s-1",
        "timestamp": "2024-11-18T09:03:13Z",
        "latency_ms": 1500,
        "request": {
            "model": "gpt-4o",
            "temperature": 0.0,
            "messages": [
                {"role": "system", "content": "You help with orders."},
                {"role": "user", "content": "Where is order #W1?"},
            ],
            "tools": [{"type": "function", "function": {"name": "get_order", "parameters": {}}}],
        },
        "response": {
            "id": "resp-1",
            "model": "gpt-4o-2024-08-06",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {"role": "assistant", "content": None, "tool_calls": [LOOKUP]},
                }
            ],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
        },
        "metadata": {"domain": "retail"},
    }
    return {**row, **changes}


def stream_of(*rows: Any) -> io.BytesIO:
    return io.BytesIO(lines_of(*rows))


def lines_of(*rows: Any) -> bytes:
    return b"".join(
        row + b"\n" if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows
    )


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
