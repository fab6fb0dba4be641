"""Look-up: the tool call that fetches an order."""

from __future__ import annotations

from slmhub.demo.grammar import Slots
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import Step, Wordings, tool_schema

SYSTEM = """You fetch order data for the Nordhaven Shop agent.
The customer's message names one order code: two or three capital letters, a hyphen, digits.
Call lookup_order with that code, copied exactly.
Use find_customer only when there is no order code at all.
Never answer from memory and write no text."""

WORDINGS = Wordings(
    pool=(
        w("Where is order {order}?"),
        w("What is the status of {order}?"),
        w("Has {order} been shipped yet?"),
        w("When will {order} get here?"),
        w("Can you check {order} for me?"),
        w("I am still waiting for {order}."),
        w("Any news on my order {order}?"),
        w("{order} should have come by now."),
        w("Please look up {order} in your system."),
        w("Is {order} on its way?", "I would like to know."),
    ),
    asides=(
        "It was a birthday present.",
        "The tracking page is empty.",
        "I ordered it two weeks ago.",
        "My neighbour may have taken it.",
        "The mail said three days.",
        "Thank you in advance.",
    ),
    needs=("order",),
)


def _answer(slots: Slots) -> Answer:
    return Answer({"order": slots["order"]}, tool="lookup_order")


LOOKUP = Step(
    name="lookup",
    system=SYSTEM,
    write=WORDINGS.write,
    read=WORDINGS.read,
    answer=_answer,
    tools=(
        tool_schema("lookup_order", "Fetch one order.", order="Order code, e.g. AB-12345"),
        tool_schema("find_customer", "Find a customer's orders.", email="E-mail address on file"),
    ),
    plants=(Entity.EMAIL,),
)
