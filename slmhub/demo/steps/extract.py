"""Extraction: the order details out of a customer's e-mail."""

from __future__ import annotations

from slmhub.demo.grammar import Slots
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import Step, Wordings, json_schema

FIELDS = ("order", "name", "city", "amount", "date")

SYSTEM = """You extract order details from e-mails sent to the Nordhaven Shop.
The e-mail names an order code, the customer, the town, the amount paid and the day of purchase, in any order.
Copy every value character by character; do not translate, round or reformat.
Amounts are decimals without the currency; dates stay as they are written.
Ignore phone numbers, e-mail addresses and everything else.
Answer with one JSON object with the keys order, name, city, amount, date, in this order."""

WORDINGS = Wordings(
    pool=(
        w("Hello, I am {name} from {city}.", "On {date} I paid {amount} EUR for order {order}."),
        w("Order {order} of {date} came to {amount} EUR.", "It was meant for {name} in {city}."),
        w(
            "Order: {order}",
            "Customer: {name}",
            "Town: {city}",
            "Total: {amount}",
            "Date: {date}",
            joiner="; ",
        ),
        w("This is {name} writing from {city}.", "My order {order} was billed at {amount} EUR on {date}."),
        w(
            "I bought something on {date}, order number {order}.",
            "You charged me {amount} EUR.",
            "Signed, {name}, {city}.",
            ordered=True,
        ),
        w(
            "It is about {order}.",
            "The invoice over {amount} EUR is dated {date} and made out to {name}, {city}.",
        ),
        w("Please check {amount} EUR for {order}.", "Buyer: {name}, {city}.", "Bought on {date}."),
        w("Ref {order} / {date} / {amount} EUR.", "Regards, {name} ({city})", ordered=True),
        w(
            "My name is {name} and I live in {city}.",
            "The parcel {order}, ordered on {date}, cost {amount} EUR.",
        ),
        w("Branch {city}, {date}.", "Sold to {name}: order {order}, {amount} EUR."),
        w("The receipt of {date} names {name} of {city}.", "Order {order}, total {amount} EUR."),
    ),
    asides=("Good morning.", "I hope this helps.", "Here is what I have.", "As you asked by phone."),
    needs=FIELDS,
)


def _answer(slots: Slots) -> Answer:
    return Answer({field: slots[field] for field in FIELDS})


EXTRACT = Step(
    name="extract",
    system=SYSTEM,
    write=WORDINGS.write,
    read=WORDINGS.read,
    answer=_answer,
    response_format=json_schema("order_details", **{field: {"type": "string"} for field in FIELDS}),
    plants=(Entity.EMAIL, Entity.PHONE),
)
