"""Callback: the tool call that books a phone appointment."""

from __future__ import annotations

from slmhub.demo.grammar import Slots
from slmhub.demo.grammar import wording as w
from slmhub.demo.messages import Answer
from slmhub.demo.planted import Entity
from slmhub.demo.steps.step import Step, Wordings, tool_schema

FIELDS = ("name", "city", "date")

SYSTEM = """You book callbacks for the Nordhaven Shop call centre.
Every message you see asks for one callback and names the person, the town and the day.
Call book_callback once with these three values, copied exactly as written.
The town decides which branch calls, so never guess or correct it.
Do not put phone numbers into the call; the branch has them on file."""

WORDINGS = Wordings(
    pool=(
        w("Please call {name} in {city} back on {date}."),
        w("Book me a callback on {date}: {name}, {city}."),
        w("I am {name}, branch {city}.", "Ring me on {date}."),
        w("On {date} I am free for a call.", "{name} from {city}."),
        w("Could somebody phone {name} ({city}) on {date}?"),
        w("A call on {date} would suit me.", "My name is {name}, I live in {city}."),
        w("Callback wanted: {date}, {city}, {name}."),
        w("{name} would like to be called on {date}.", "The town is {city}."),
        w("Let the {city} branch call me on {date}.", "It is {name} speaking."),
        w("Put {name} of {city} down for a call on {date}."),
    ),
    asides=(
        "Mornings are best.",
        "After lunch is fine.",
        "It is about my last order.",
        "Five minutes will do.",
        "I have a question on the warranty.",
    ),
    needs=FIELDS,
)


def _answer(slots: Slots) -> Answer:
    return Answer({field: slots[field] for field in FIELDS}, tool="book_callback")


CALLBACK = Step(
    name="callback",
    system=SYSTEM,
    write=WORDINGS.write,
    read=WORDINGS.read,
    answer=_answer,
    tools=(
        tool_schema(
            "book_callback",
            "Book a phone appointment.",
            name="First and last name",
            city="Town of the branch",
            date="Day, YYYY-MM-DD",
        ),
    ),
    plants=(Entity.PHONE,),
)
