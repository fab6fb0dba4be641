"""OTLP exports as an agent's instrumentation sends them: OpenInference spans of about 30 kB.

The shape is that of the spans which OpenInference's OpenAI instrumentation made of tau-bench sessions: every
span repeats its session's history, once flattened and once more as the raw request in `input.value`; the
system prompt and the tools are the agent's, everything else is said in one session only.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

CALLS = 13
TOOLS = 16
_SYLLABLES = ("ba", "ri", "to", "men", "sul", "ka", "ve", "dor", "in", "pel", "ash", "quo", "li", "ner", "um")


class Agent:
    """One agent with its prompt and tools; `session()` gives the spans of one more conversation."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = [
            "".join(self.random.choices(_SYLLABLES, k=self.random.randint(1, 4))) for _ in range(4000)
        ]
        self.prompt = self.text(750)
        self.tools = [self._tool(number) for number in range(TOOLS)]

    def text(self, words: int) -> str:
        return " ".join(self.random.choices(self.words, k=words))

    def session(self) -> list[Span]:
        session, trace = secrets.token_hex(8), secrets.token_bytes(16)
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": self.prompt},
            {
                "role": "user",
                "content": f"{self.text(60)} {session}@example.org order #W{secrets.randbelow(10**7)}",
            },
        ]
        spans = []
        for turn in range(CALLS):
            answer = self._answer(turn)
            spans.append(self._span(trace, session, messages, answer))
            messages = [*messages, answer, *self._reaction(answer)]
        return spans

    def _tool(self, number: int) -> dict[str, Any]:
        fields = {f"field_{i}": {"type": "string", "description": self.text(7)} for i in range(4)}
        function = {
            "name": f"tool_{number}",
            "description": self.text(14),
            "parameters": {"properties": fields},
        }
        return {"type": "function", "function": function}

    def _answer(self, turn: int) -> dict[str, Any]:
        if turn % 2:
            return {"role": "assistant", "content": self.text(32)}
        arguments = orjson.dumps({"order_id": f"#W{secrets.randbelow(10**7)}", "note": self.text(8)}).decode()
        function = {"name": f"tool_{self.random.randrange(TOOLS)}", "arguments": arguments}
        call = {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    def _reaction(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        if not answer.get("tool_calls"):
            return [{"role": "user", "content": self.text(28)}]
        result = orjson.dumps({"status": "ok", "items": [self.text(22), self.text(22)]}).decode()
        return [{"role": "tool", "tool_call_id": answer["tool_calls"][0]["id"], "content": result}]

    def _span(
        self, trace: bytes, session: str, messages: list[dict[str, Any]], answer: dict[str, Any]
    ) -> Span:
        now = time.time_ns()
        span = Span(
            trace_id=trace,
            span_id=secrets.token_bytes(8),
            name="ChatCompletion",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=now - 900_000_000,
            end_time_unix_nano=now,
        )
        request = {"model": "gpt-4o", "messages": messages, "tools": self.tools, "temperature": 0.0}
        for key, value in _attributes(request, answer, session):
            attribute = span.attributes.add(key=key)
            if isinstance(value, int):
                attribute.value.int_value = value
            else:
                attribute.value.string_value = value
        return span


def _attributes(
    request: dict[str, Any], answer: dict[str, Any], session: str
) -> Iterator[tuple[str, str | int]]:
    yield from (("openinference.span.kind", "LLM"), ("llm.model_name", "gpt-4o-2024-08-06"))
    yield from (("llm.provider", "openai"), ("llm.system", "openai"), ("session.id", session))
    yield "llm.invocation_parameters", orjson.dumps({"model": "gpt-4o", "temperature": 0.0}).decode()
    yield "input.value", orjson.dumps({**request, "tools": len(request["tools"])}).decode()
    yield "input.mime_type", "application/json"
    yield "output.value", orjson.dumps({"choices": [{"message": answer, "finish_reason": "stop"}]}).decode()
    yield "output.mime_type", "application/json"
    for number, message in enumerate(request["messages"]):
        yield from _message(f"llm.input_messages.{number}.message", message)
    yield from _message("llm.output_messages.0.message", answer)
    for number, tool in enumerate(request["tools"]):
        yield f"llm.tools.{number}.tool.json_schema", orjson.dumps(tool).decode()
    counts = {"prompt": 6000, "completion": 80, "total": 6080}
    yield from ((f"llm.token_count.{name}", count) for name, count in counts.items())


def _message(prefix: str, message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"{prefix}.role", message["role"]
    if message.get("content"):
        yield f"{prefix}.content", message["content"]
    if message.get("tool_call_id"):
        yield f"{prefix}.tool_call_id", message["tool_call_id"]
    for number, call in enumerate(message.get("tool_calls", ())):
        path = f"{prefix}.tool_calls.{number}.tool_call"
        yield f"{path}.id", call["id"]
        yield f"{path}.function.name", call["function"]["name"]
        yield f"{path}.function.arguments", call["function"]["arguments"]


def export(spans: list[Span]) -> bytes:
    """The body of one `POST /v1/traces`."""
    scope = ScopeSpans(spans=spans)
    scope.scope.name = "openinference.instrumentation.openai"
    scope.scope.version = "0.1.66"
    resource = ResourceSpans(scope_spans=[scope])
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    return ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()


def bodies(sessions: int, *, seed: int, per_body: int = 64) -> Iterator[tuple[int, bytes]]:
    """(spans, body) of as many sessions, in exports of about `per_body` spans."""
    agent, waiting = Agent(seed), []
    for _ in range(sessions):
        waiting += agent.session()
        if len(waiting) >= per_body:
            yield len(waiting), export(waiting)
            waiting = []
    if waiting:
        yield len(waiting), export(waiting)
