"""Calls written straight into the tables, as ingest would leave them."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from apps.accounts.models import Agent
from apps.contents.models import Content, ContentKind
from apps.discovery.columns import KeyUse, TaskFigures
from apps.discovery.models import Assignment, DiscoveryRun, Task, TaskState
from apps.traces.models import Audience, Outcome, Session, Span, Status
from slmhub.formats import signature

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
SYSTEM = "You extract the order number. Answer with JSON."
_numbers = itertools.count(1)


def content(agent: Agent, body: Any, role: str = "", kind: str = ContentKind.MESSAGE) -> Content:
    digest = hashlib.sha256(orjson.dumps([kind, body])).digest()
    found, _ = Content.objects.get_or_create(
        workspace=agent.workspace, digest=digest, defaults={"kind": kind, "role": role, "body": body}
    )
    return found


@dataclass
class Step:
    """One kind of call of an agent: its standing prompt, its tools and how it answers."""

    agent: Agent
    system: str = SYSTEM
    tools: tuple[dict[str, Any], ...] = ()

    def call(self, ask: str, answer: str | dict[str, Any], *, session: str = "", **fields: Any) -> Span:
        """`answer` is the text, or arguments of a call to the tool `look_up`."""
        number = next(_numbers)
        output = answer_message(answer)
        messages = [{"role": "system", "content": self.system}, {"role": "user", "content": ask}]
        values: dict[str, Any] = {
            "workspace": self.agent.workspace,
            "agent": self.agent,
            "session": session_of(self.agent, session or f"s{number}"),
            "trace_id": f"t{number}",
            "span_id": f"c{number}",
            "started_at": START + timedelta(minutes=number),
            "latency_ms": 800.0,
            "input_tokens": 100,
            "output_tokens": 10,
            "audience": signature.audience(signature.action_of(output), {}).value,
            "action": signature.action_of(output),
            "previous": signature.previous_kind(messages),
            "routing_key": signature.routing_signature(messages, list(self.tools)),
            "tools": content(self.agent, list(self.tools), kind=ContentKind.TOOLS) if self.tools else None,
            "output": content(self.agent, output, "assistant"),
            "message_ids": [content(self.agent, message, message["role"]).pk for message in messages],
            "input_preview": ask[:200],
            "output_preview": str(answer)[:200],
        }
        return Span.objects.create(**{**values, **fields})


def answer_message(answer: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"role": "assistant", "content": answer}
    function = {"name": "look_up", "arguments": orjson.dumps(answer).decode()}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }


def session_of(agent: Agent, name: str) -> Session:
    return Session.objects.get_or_create(agent=agent, external_id=name)[0]


def fail(agent: Agent, name: str) -> None:
    Session.objects.filter(agent=agent, external_id=name).update(outcome=Outcome.FAILURE)


def extraction(agent: Agent, count: int, *, first: int = 0) -> list[Span]:
    """Machine-facing calls with a value of its own each, three to a session."""
    step = Step(agent)
    return [
        step.call(f"Where is order A-{n:05d} of mine?", f'{{"order":"A-{n:05d}"}}', session=f"visit-{n // 3}")
        for n in range(first, first + count)
    ]


def task(agent: Agent, calls: list[Span], **fields: Any) -> Task:
    """A task as a finished run leaves it, with these calls."""
    run = DiscoveryRun.objects.create(agent=agent, finished_at=datetime.now(UTC))
    keys = {span.routing_key: KeyUse(len(calls), of=len(calls)) for span in calls}
    values: dict[str, Any] = {
        "agent": agent,
        "run": run,
        "cell": hashlib.sha256(repr((agent.pk, next(_numbers))).encode()).hexdigest()[:40],
        "title": "JSON answer (order) after user",
        "subtitle": "order · parcel",
        "action": "json:order",
        "previous": "user",
        "audience": Audience.MACHINE,
        "size": len(calls),
        "cohesion": 0.8,
        "routing_keys": keys,
        "exemplar_ids": [span.pk for span in calls[:5]],
        "figures": TaskFigures(calls=len(calls), sessions=len(calls), input_tokens=100),
    }
    found = Task.objects.create(**{**values, **fields})
    Assignment.objects.bulk_create(Assignment(span=span, task=found, x=0.1, y=0.2) for span in calls)
    return found


def accepted(agent: Agent, calls: list[Span]) -> Task:
    return task(agent, calls, state=TaskState.ACCEPTED)


__all__ = [
    "Status",
    "Step",
    "accepted",
    "answer_message",
    "content",
    "extraction",
    "fail",
    "session_of",
    "task",
]
