"""Intent: one label for a follow-up message in the chat."""

from __future__ import annotations

from slmhub.demo.grammar import Slots
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import JSON_OBJECT, Step, Wordings

INTENTS = ("cancel_order", "change_address", "ask_invoice", "complain", "thank", "extend_return")

SYSTEM = """Classify a follow-up message of a Nordhaven Shop customer.
Allowed intents: cancel_order, change_address, ask_invoice, complain, thank, extend_return.
Choose the one that the customer wants done next; politeness alone is not "thank".
The router only reads the label, so give no explanation.
Answer with one JSON object: {"intent": "..."}."""

WORDINGS = Wordings(
    pool=(
        w("Then I would rather cancel {order}.", intent="cancel_order"),
        w("Stop {order} before it leaves the warehouse.", intent="cancel_order"),
        w("I moved, so {order} must go to another street.", intent="change_address"),
        w("Please deliver {order} to my office instead.", intent="change_address"),
        w("I need an invoice for {order} for my tax office.", intent="ask_invoice"),
        w("Where can I download the bill of {order}?", intent="ask_invoice"),
        w("Honestly, the service around {order} was poor.", intent="complain"),
        w("I am not happy with how {order} was handled.", intent="complain"),
        w("Great, that settles {order} for me.", intent="thank"),
        w("Wonderful, {order} is sorted then.", intent="thank"),
        w("May I keep {order} a little longer before I return it?", intent="extend_return"),
        w("I need more days to send {order} back.", intent="extend_return"),
    ),
    asides=("Many thanks.", "Sorry to bother you again.", "One more thing.", "Best wishes."),
    needs=("intent",),
)


def _answer(slots: Slots) -> Answer:
    return Answer({"intent": slots["intent"]})


INTENT = Step(
    name="intent",
    system=SYSTEM,
    write=WORDINGS.write,
    read=WORDINGS.read,
    answer=_answer,
    response_format=JSON_OBJECT,
    labels={"intent": INTENTS},
    plants=(Entity.EMAIL,),
)
