"""Status: a look-up's result boiled down for the step that composes the reply."""

from __future__ import annotations

import json
import random

from slmhub.demo.grammar import Slots
from slmhub.demo.messages import Answer, Message, dumps, last_text
from slmhub.demo.steps.step import JSON_OBJECT, Step

STATUS_OF_STATE = {
    "PICKING": "being packed",
    "IN_TRANSIT": "on its way",
    "AT_DEPOT": "at the depot",
    "OUT_FOR_DELIVERY": "out for delivery",
    "CUSTOMS_HOLD": "held at customs",
    "RETURNING": "coming back to us",
}
STATUSES = tuple(STATUS_OF_STATE.values())
CARRIERS = ("Velo Post", "Kite Express", "Harbour Freight", "Swift Parcel")

SYSTEM = """You sum up the result of lookup_order for the reply step of the Nordhaven Shop.
Keep three things only: the order code, its status and the expected day.
Say the state in these words: PICKING = being packed, IN_TRANSIT = on its way, AT_DEPOT = at the depot, \
OUT_FOR_DELIVERY = out for delivery, CUSTOMS_HOLD = held at customs, RETURNING = coming back to us.
Copy the order code and the day exactly; leave out carrier, weight and every other field.
Answer with one JSON object: {"order", "status", "eta"}."""

# The shop's systems name and order the same fields differently.
_SHAPES = (
    {"order": "order", "state": "state", "eta": "eta"},
    {"order": "id", "state": "status", "eta": "eta"},
    {"order": "order_id", "state": "state", "eta": "expected"},
    {"order": "code", "state": "phase", "eta": "delivery_day"},
)


def _write(rng: random.Random, slots: Slots, planted: tuple[str, ...]) -> str:
    """The tool's result: a JSON object whose fields stand in any order."""
    names = rng.choice(_SHAPES)
    items = [(name, slots[slot]) for slot, name in names.items()]
    items += rng.sample(
        [
            ("carrier", rng.choice(CARRIERS)),
            ("items", rng.randint(1, 5)),
            ("weight_kg", round(rng.uniform(0.2, 12), 1)),
            ("warehouse", rng.choice(["N1", "N2", "S4"])),
        ],
        k=rng.randint(0, 2),
    )
    rng.shuffle(items)
    return dumps(dict(items))


def _read(messages: list[Message]) -> Slots | None:
    try:
        result = json.loads(last_text(messages, "tool"))
    except ValueError:
        return None
    if not isinstance(result, dict):
        return None
    for names in _SHAPES:
        slots = {slot: result[name] for slot, name in names.items() if name in result}
        if len(slots) == len(names) and slots["state"] in STATUS_OF_STATE:
            return slots
    return None


def _answer(slots: Slots) -> Answer:
    status = STATUS_OF_STATE[slots["state"]]
    return Answer({"order": slots["order"], "status": status, "eta": slots["eta"]})


STATUS = Step(
    name="status",
    system=SYSTEM,
    write=_write,
    read=_read,
    answer=_answer,
    response_format=JSON_OBJECT,
    labels={"status": STATUSES},
)
