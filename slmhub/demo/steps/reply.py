"""Reply: what the customer reads. The only step whose audience is human."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from slmhub.demo.grammar import SHAPES, Slots
from slmhub.demo.messages import Answer, Message, digest, text_of
from slmhub.demo.steps.step import Step

SYSTEM = """You are Nora, the chat assistant of the Nordhaven Shop.
Answer the customer in two or three friendly sentences, in plain English.
Refer to what was done in this chat (look-ups, refunds, callbacks); promise nothing else.
Never repeat card numbers, bank details, phone numbers or e-mail addresses.
Offer a callback when the customer is not satisfied.
Sign with "Nora"."""

_OPENINGS = (
    "Thank you for your message.",
    "Thanks for getting in touch.",
    "I am happy to help.",
    "Of course.",
)
_CLOSINGS = (
    "Is there anything else?",
    "Just write if something is unclear.",
    "Have a good day.",
    "Take care.",
)
_BODIES = {
    "issue_refund": (
        "I have refunded {amount} EUR for order {order}; the bank needs two to four days.",
        "The {amount} EUR of order {order} are on their way back to you.",
    ),
    "book_callback": (
        "Our branch in {city} will call you on {date}.",
        "Your callback is booked for {date}; a colleague from {city} will ring.",
    ),
    "lookup_order": (
        "I found order {order} in our system and see where it is.",
        "I have looked up {order} for you and it has not been forgotten.",
    ),
    "order": (
        "I have your order {order} in front of me and am looking into it right now.",
        "I am sorry for the trouble with {order}; I will check what happened.",
    ),
    "other": (
        "I am looking into it right now.",
        "I am sorry for the trouble; could you tell me your order code?",
    ),
}


def _read(messages: list[Message]) -> Slots | None:
    seed = digest([m for m in messages if m.get("role") != "system"])
    if messages and messages[-1].get("role") == "tool":
        return {**_last_tool_call(messages), "seed": seed}
    order = re.search(SHAPES["order"], text_of(messages[-1])) if messages else None
    if order is None:
        return {"seed": seed, "about": "other"}
    return {"seed": seed, "about": "order", "order": order.group()}


def _last_tool_call(messages: list[Message]) -> Slots:
    calling = [message for message in messages if message.get("tool_calls")]
    if not calling:
        return {"about": "other"}
    call = calling[-1]["tool_calls"][-1]["function"] or {}
    if call.get("name") not in _BODIES:
        return {"about": "other"}
    try:
        arguments: dict[str, Any] = dict(json.loads(call["arguments"]))
    except (KeyError, TypeError, ValueError):
        return {"about": "other"}
    return {**arguments, "about": call["name"]}


def _answer(slots: Slots) -> Answer:
    rng = random.Random(slots["seed"])
    body = rng.choice(_BODIES[slots["about"]])
    known = {"order": "your order", "amount": "the sum in", "city": "your town", "date": "that day"}
    sentences = (rng.choice(_OPENINGS), body.format(**known | slots), rng.choice(_CLOSINGS), "Nora")
    return Answer(text=" ".join(sentences))


def _write(rng: random.Random, slots: Slots, planted: tuple[str, ...]) -> str:
    return str(slots["text"])


REPLY = Step(name="reply", system=SYSTEM, write=_write, read=_read, answer=_answer)
