"""Triage: which queue, how urgent, which order."""

from __future__ import annotations

import random

from slmhub.demo.grammar import Slots, read_text
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer, Message, last_text
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import Step, Wordings, json_schema

QUEUES = ("delivery", "returns", "billing", "technical", "account")

SYSTEM = """You are the triage step of the Nordhaven Shop support desk.
Read one incoming customer message and decide where it goes.
Queues: delivery (parcels, couriers), returns (send back, damaged), billing (charges, invoices), \
technical (devices, app), account (log-in, saved data).
A message is urgent only if the customer says that it cannot wait.
Copy the order code exactly as written; use null if there is none.
Never answer the customer. Answer with one JSON object: {"queue", "urgent", "order"}."""

URGENT = (
    "This is urgent.",
    "I need an answer today.",
    "Please hurry, I leave tomorrow.",
    "It cannot wait any longer.",
)
CALM = ("There is no rush.", "Whenever you have time.", "Take your time with it.")

WORDINGS = Wordings(
    pool=(
        w("My parcel {order} still has not arrived.", queue="delivery"),
        w("The tracking of {order} has not moved for days.", queue="delivery"),
        w("The courier left {order} at the wrong door.", queue="delivery"),
        w("I want to send back {order}, it does not fit.", queue="returns"),
        w("What came with {order} is broken.", "I would like to return it.", queue="returns"),
        w("I was charged twice for {order}.", queue="billing"),
        w("The invoice of {order} shows a wrong total.", queue="billing"),
        w("The device from {order} does not switch on.", queue="technical"),
        w("The app crashes as soon as I open {order}.", queue="technical"),
        w("I cannot log in any more to see {order}.", queue="account"),
        w("The address saved for {order} is out of date.", queue="account"),
        w("My last parcel still has not come.", queue="delivery", order=None),
        w("I cannot log in to my account any more.", queue="account", order=None),
    ),
    asides=(
        "I have been a customer for years.",
        "I already tried the help page.",
        "Thanks for looking into it.",
        "Hello there.",
        "Nobody picked up the phone.",
    ),
    needs=("order", "queue"),
)


def _write(rng: random.Random, slots: Slots, planted: tuple[str, ...]) -> str:
    mood: tuple[str, ...] = ()
    if slots["urgent"]:
        mood = (rng.choice(URGENT),)
    elif rng.random() < 0.4:
        mood = (rng.choice(CALM),)
    return WORDINGS.write(rng, slots, (*mood, *planted))


def _read(messages: list[Message]) -> Slots | None:
    text = last_text(messages, "user")
    slots = read_text(text, WORDINGS.pool)
    return None if slots is None else slots | {"urgent": any(phrase in text for phrase in URGENT)}


def _answer(slots: Slots) -> Answer:
    return Answer({"queue": slots["queue"], "urgent": slots["urgent"], "order": slots["order"]})


TRIAGE = Step(
    name="triage",
    system=SYSTEM,
    write=_write,
    read=_read,
    answer=_answer,
    response_format=json_schema(
        "triage",
        queue={"type": "string", "enum": list(QUEUES)},
        urgent={"type": "boolean"},
        order={"type": ["string", "null"]},
    ),
    labels={"queue": QUEUES},
    plants=(Entity.EMAIL, Entity.PHONE, Entity.API_KEY),
)
