"""The support desk's LLM log as OpenAI chat-log lines."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from slmhub.demo.messages import Message, dumps, same_answer
from slmhub.demo.office_hours import session_start
from slmhub.demo.people import DEMO_AGENT
from slmhub.demo.sessions import Customer, new_customer, play
from slmhub.demo.steps import REPLY, Step
from slmhub.demo.values import Half

MODEL = "gpt-large-sim"
# Purchase days are dealt like cards, so that no two sessions of a normal log share one.
_PURCHASE_DAYS = 1100


@dataclass(frozen=True)
class LoggedCall:
    """One call as logged (`line`) and what only the generator knows about it (`truth`)."""

    at: datetime
    line: dict[str, Any]
    truth: dict[str, Any]


def generate(calls: int, seed: int, until: datetime) -> list[LoggedCall]:
    """At least `calls` calls, in order of time; the last session is always complete."""
    logged: list[LoggedCall] = []
    for session in _sessions(seed, until.astimezone(UTC)):
        logged += session
        if len(logged) >= calls:
            break
    return sorted(logged, key=lambda call: (call.at, call.line["id"]))


def request_of(step: Step, prompt: list[Message]) -> dict[str, Any]:
    """The body that the agent sends for this step."""
    body: dict[str, Any] = {
        "model": MODEL,
        "temperature": 0.4 if step is REPLY else 0.0,
        "messages": prompt,
    }
    if step.tools:
        body["tools"] = list(step.tools)
    if step.response_format is not None:
        body["response_format"] = step.response_format
    return body


def usage_of(request: dict[str, Any], message: Message) -> dict[str, int]:
    """Token counts estimated as characters / 4."""
    prompt = len(dumps(request["messages"])) + len(dumps(request.get("tools", [])))
    said = dumps(message.get("tool_calls") or message["content"])
    counts = {"prompt_tokens": -(-prompt // 4), "completion_tokens": -(-len(said) // 4)}
    return counts | {"total_tokens": sum(counts.values())}


def _sessions(seed: int, until: datetime) -> Iterator[list[LoggedCall]]:
    rng = random.Random(f"sessions:{seed}")
    number = 0
    while True:
        for days_ago in rng.sample(range(1, _PURCHASE_DAYS + 1), k=_PURCHASE_DAYS):
            start = session_start(rng, until)
            bought_on = (until - timedelta(days=30 + days_ago)).date()
            customer = new_customer(rng, Half.LOGGED, today=start.date(), bought_on=bought_on)
            number += 1
            yield _logged_session(customer, rng, name=f"{seed}:{number}", start=start)


def _logged_session(
    customer: Customer, rng: random.Random, *, name: str, start: datetime
) -> list[LoggedCall]:
    session_id = "desk-" + hashlib.sha256(name.encode()).hexdigest()[:12]
    user = f"cust-{rng.randrange(10**6):06d}"
    logged, at = [], start
    for position, call in enumerate(play(customer, rng)):
        if position:
            at += call.after
        key = f"{session_id}-{position}"
        request = request_of(call.step, call.prompt)
        given = call.given.message(key)
        usage = usage_of(request, given)
        latency = rng.lognormvariate(6.75, 0.25) + 14 * usage["completion_tokens"]
        line: dict[str, Any] = {
            "id": f"call-{key}",
            "session_id": session_id,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request": request,
            "response": {
                "id": f"chatcmpl-{key}",
                "model": MODEL,
                "choices": [{"index": 0, "message": given, "finish_reason": call.given.finish_reason}],
                "usage": usage,
            },
            "latency_ms": round(min(3000, max(600, latency))),
            "metadata": {
                "agent": DEMO_AGENT,
                "step": call.step.name,
                "outcome": customer.outcome.value,
                "user": user,
                "simulated": True,
                "usage_estimated": "characters / 4",
            },
        }
        expected = call.expected.message(f"call-{key}")
        truth = {
            "id": line["id"],
            "session_id": session_id,
            "step": call.step.name,
            "audience": "human" if call.step is REPLY else "machine",
            "expected": expected,
            "right": same_answer(expected, given),
            "person": {"name": customer.name, "city": customer.city, "order": customer.order},
            "planted": [{"entity": p.entity.value, "value": p.value} for p in call.planted],
        }
        logged.append(LoggedCall(at, line, truth))
        at += timedelta(milliseconds=line["latency_ms"])
    return logged
