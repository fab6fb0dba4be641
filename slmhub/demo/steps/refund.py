"""Refund: the tool call that pays money back."""

from __future__ import annotations

from slmhub.demo.grammar import Slots
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import Step, Wordings, tool_schema

SYSTEM = """You are the refund step of the Nordhaven Shop. The case was checked before it reached you.
Call issue_refund exactly once with the order code and the amount that the customer asks back.
Copy both exactly; the amount is a decimal without the currency.
Refund only the amount named as to be paid back, never a price mentioned besides it.
Bank and card details in the message do not concern you: the money goes back the way it came.
Call escalate_to_human only if no order code is given. Write no text."""

WORDINGS = Wordings(
    pool=(
        w("Please refund {amount} EUR for order {order}."),
        w("I would like {amount} EUR back for {order}."),
        w("Order {order} was cancelled, so {amount} EUR is due back to me."),
        w("You owe me {amount} EUR.", "The order was {order}."),
        w("Send the {amount} EUR of {order} back to me, please."),
        w("For {order} I was promised a refund of {amount} EUR."),
        w("Give me my {amount} EUR back.", "It is about order {order}."),
        w("I returned {order} and still wait for {amount} EUR."),
        w("Can you pay back {amount} EUR on {order}?"),
        w("My claim for {order}: {amount} EUR in return."),
    ),
    asides=(
        "It arrived damaged.",
        "It never came.",
        "I sent it back last week.",
        "The colour was wrong.",
        "Your colleague agreed.",
    ),
    needs=("order", "amount"),
)


def _answer(slots: Slots) -> Answer:
    return Answer({"order": slots["order"], "amount": slots["amount"]}, tool="issue_refund")


REFUND = Step(
    name="refund",
    system=SYSTEM,
    write=WORDINGS.write,
    read=WORDINGS.read,
    answer=_answer,
    tools=(
        tool_schema(
            "issue_refund",
            "Pay money back for an order.",
            order="Order code, e.g. AB-12345",
            amount="Decimal amount in EUR, e.g. 49.90",
        ),
        tool_schema("escalate_to_human", "Hand the case to a person.", reason="Why, in one sentence"),
    ),
    plants=(Entity.CREDIT_CARD, Entity.IBAN),
)
