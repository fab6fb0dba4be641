"""Customer contacts: who writes, what about, and which steps of the agent work on it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from slmhub.demo.grammar import Slots
from slmhub.demo.messages import Answer, Message, digest, dumps
from slmhub.demo.mistakes import mistaken
from slmhub.demo.planted import Planted, plant
from slmhub.demo.steps import CALLBACK, EXTRACT, INTENT, LOOKUP, REFUND, REPLY, STATUS, TRIAGE, Step
from slmhub.demo.steps.intent import INTENTS
from slmhub.demo.steps.status import STATUS_OF_STATE
from slmhub.demo.steps.triage import QUEUES
from slmhub.demo.values import Half, Values

_FAILED_SHARE = 0.08
_PLANTED_SHARE = 0.35
_MISTAKES_IF_FAILED = 0.55
_MISTAKES_IF_SUCCESSFUL = 0.004


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class Customer:
    """The facts of one contact."""

    order: str
    name: str
    city: str
    amount: str
    bought_on: date
    today: date
    outcome: Outcome


@dataclass(frozen=True)
class Call:
    """One LLM call of a session; `after` is the pause since the session's previous call."""

    step: Step
    prompt: list[Message]
    expected: Answer
    given: Answer
    after: timedelta
    planted: tuple[Planted, ...]


@dataclass
class Session:
    """A contact being played: its chat so far and the calls made."""

    customer: Customer
    rng: random.Random
    calls: list[Call] = field(default_factory=list)
    chat: list[Message] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)

    def customer_writes(self, step: Step, slots: Slots, *, in_chat: bool = True) -> Message:
        """A new customer text that `step` will work on, now and then with personal data in it."""
        planted = []
        if step.plants and self.rng.random() < _PLANTED_SHARE:
            planted = [plant(self.rng, step.plants)]
        text = step.write(self.rng, slots, tuple(p.sentence for p in planted))
        message: Message = {"role": "user", "content": text}
        self.planted += planted
        if in_chat:
            self.chat.append(message)
        return message

    def ask(self, step: Step, inputs: list[Message], expected: Answer) -> Answer:
        """The agent calls the LLM; in failed sessions it often answers wrong."""
        failed = self.customer.outcome is Outcome.FAILURE
        wrong = self.rng.random() < (_MISTAKES_IF_FAILED if failed else _MISTAKES_IF_SUCCESSFUL)
        given = mistaken(step, expected, self.rng) if wrong else expected
        prompt = [{"role": "system", "content": step.system}, *inputs]
        pause = timedelta(milliseconds=self.rng.randint(900, 4500))
        if step is REPLY or inputs[-1]["role"] == "user":
            pause += timedelta(seconds=self.rng.randint(5, 600))
        here = tuple(p for p in self.planted if any(p.value in str(m["content"]) for m in inputs))
        self.calls.append(Call(step, prompt, expected, given, pause, here))
        return given

    def take(self, step: Step, slots: Slots, *, in_chat: bool = True) -> tuple[Message, Answer]:
        """The customer writes and `step` answers for the agent's next step."""
        message = self.customer_writes(step, slots, in_chat=in_chat)
        return message, self.ask(step, [message], step.answer(slots))

    def run_tool(self, asked: Answer, result: str) -> list[Message]:
        """The tool call and its result, added to the chat."""
        call = asked.message(digest(self.chat))
        tool_message = {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": result}
        self.chat += [call, tool_message]
        return [call, tool_message]

    def reply(self) -> None:
        """The agent answers the customer in the chat."""
        slots = REPLY.read(self.chat)
        assert slots is not None, "a reply can always be written"
        given = self.ask(REPLY, list(self.chat), REPLY.answer(slots))
        self.chat.append(given.message(""))


def new_customer(rng: random.Random, half: Half, *, today: date, bought_on: date) -> Customer:
    values = Values(rng, half)
    failed = rng.random() < _FAILED_SHARE
    return Customer(
        order=values.order(),
        name=values.name(),
        city=values.city(),
        amount=values.amount(),
        bought_on=bought_on,
        today=today,
        outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
    )


def play(customer: Customer, rng: random.Random) -> list[Call]:
    """All calls of one contact, in order."""
    session = Session(customer, rng)
    session.take(TRIAGE, triage_slots(customer, rng))
    _maybe_reply(session, 0.36)
    if rng.random() < 0.99:
        session.take(EXTRACT, extract_slots(customer), in_chat=False)
    if rng.random() < 0.95:
        _look_up(session)
    if rng.random() < 0.92:
        _refund(session)
    if rng.random() < 0.55:
        session.take(INTENT, intent_slots(customer, rng))
        _maybe_reply(session, 0.3)
    if rng.random() < 0.92:
        _book_callback(session)
    return session.calls


def triage_slots(customer: Customer, rng: random.Random) -> Slots:
    queue = rng.choice(QUEUES)
    nameless = queue in {"delivery", "account"} and rng.random() < 0.15
    return {"queue": queue, "urgent": rng.random() < 0.35, "order": None if nameless else customer.order}


def extract_slots(customer: Customer) -> Slots:
    facts = {"order": customer.order, "name": customer.name, "city": customer.city}
    return facts | {"amount": customer.amount, "date": customer.bought_on.isoformat()}


def refund_slots(customer: Customer, rng: random.Random) -> Slots:
    """Often the whole amount, else a part of it."""
    part = customer.amount
    if rng.random() < 0.5:
        part = Values(rng, Half.LOGGED).amount(most=float(customer.amount))
    return {"order": customer.order, "amount": part}


def callback_slots(customer: Customer, rng: random.Random) -> Slots:
    day = customer.today + timedelta(days=rng.randint(1, 60))
    return {"name": customer.name, "city": customer.city, "date": day.isoformat()}


def intent_slots(customer: Customer, rng: random.Random) -> Slots:
    return {"intent": rng.choice(INTENTS), "order": customer.order}


def status_slots(order: str, customer: Customer, rng: random.Random) -> Slots:
    eta = customer.today + timedelta(days=rng.randint(0, 21))
    return {"order": order, "state": rng.choice(list(STATUS_OF_STATE)), "eta": eta.isoformat()}


def _look_up(session: Session) -> None:
    question, asked = session.take(LOOKUP, {"order": session.customer.order})
    if asked.tool is None or asked.fields is None:
        return
    slots = status_slots(asked.fields["order"], session.customer, session.rng)
    exchange = session.run_tool(asked, STATUS.write(session.rng, slots, ()))
    if session.rng.random() < 0.6:
        session.ask(STATUS, [question, *exchange], STATUS.answer(slots))
    _maybe_reply(session, 0.35)


def _refund(session: Session) -> None:
    _, asked = session.take(REFUND, refund_slots(session.customer, session.rng))
    if asked.tool is not None:
        session.run_tool(asked, dumps({"refund": "accepted", "ref": f"R{session.rng.randrange(10**6):06d}"}))
    _maybe_reply(session, 0.35)


def _book_callback(session: Session) -> None:
    _, asked = session.take(CALLBACK, callback_slots(session.customer, session.rng))
    if asked.tool is not None:
        session.run_tool(asked, dumps({"booked": True, "slot": session.rng.choice(["am", "pm"])}))
    _maybe_reply(session, 0.45)


def _maybe_reply(session: Session, share: float) -> None:
    if session.rng.random() < share:
        session.reply()
