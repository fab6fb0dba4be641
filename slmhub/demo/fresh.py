"""New requests of the demo's machine-facing tasks, with values that no generated log holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from slmhub.demo import sessions
from slmhub.demo.grammar import Slots
from slmhub.demo.log import request_of
from slmhub.demo.messages import Answer, Message
from slmhub.demo.sessions import Customer
from slmhub.demo.steps import CALLBACK, EXTRACT, INTENT, LOOKUP, MACHINE_STEPS, REFUND, STATUS, TRIAGE
from slmhub.demo.values import Half

_TODAY = date(2031, 5, 14)


@dataclass(frozen=True)
class FreshRequest:
    """A chat-completions body and the assistant message that answers it rightly."""

    step: str
    request: dict[str, Any]
    expected: Message


_SLOTS: dict[str, Callable[[Customer, random.Random], Slots]] = {
    TRIAGE.name: lambda customer, rng: sessions.triage_slots(customer, rng) | {"order": customer.order},
    EXTRACT.name: lambda customer, rng: sessions.extract_slots(customer),
    REFUND.name: sessions.refund_slots,
    CALLBACK.name: sessions.callback_slots,
    LOOKUP.name: lambda customer, rng: {"order": customer.order},
    INTENT.name: sessions.intent_slots,
    STATUS.name: lambda customer, rng: sessions.status_slots(customer.order, customer, rng),
}


def fresh_requests(seed: int, n: int) -> list[FreshRequest]:
    """`n` requests, the steps in turn; order codes and names come from the half that logs never use."""
    rng = random.Random(f"fresh:{seed}")
    requests = []
    for number in range(n):
        step = MACHINE_STEPS[number % len(MACHINE_STEPS)]
        bought_on = _TODAY - timedelta(days=rng.randint(1, 1500))
        customer = sessions.new_customer(rng, Half.FRESH, today=_TODAY, bought_on=bought_on)
        slots = _SLOTS[step.name](customer, rng)
        written = step.write(rng, slots, ())
        inputs: list[Message] = [{"role": "user", "content": written}]
        if step is STATUS:
            inputs = _after_look_up(customer, written, rng)
        prompt = [{"role": "system", "content": step.system}, *inputs]
        expected = step.answer(slots).message(written)
        requests.append(FreshRequest(step.name, request_of(step, prompt), expected))
    return requests


def _after_look_up(customer: Customer, result: str, rng: random.Random) -> list[Message]:
    question = LOOKUP.write(rng, {"order": customer.order}, ())
    call = Answer({"order": customer.order}, tool="lookup_order").message(question)
    answered = {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": result}
    return [{"role": "user", "content": question}, call, answered]
