"""Two tasks whose wording is the same in both splits and whose values are disjoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = words(
    "Anna Boris Carla David Elena Farid Greta Hugo Ines Jonas Karin Leon Maria Nadia Oscar Paula "
    "Quentin Rosa Stefan Tanja Umar Vera Walter Xenia Yusuf Zoe Albert Bianca Cedric Diana Emil Fatima "
    "Gustav Helena Igor Julia Kemal Laura Mehmet Nora"
)
LAST = words(
    "Abel Brandt Costa Dubois Eriksen Fischer Garcia Hansen Ivanov Jensen Keller Lopez Moreau Novak "
    "Olsen Petrov Quist Rossi Schmidt Torres Ullmann Vogel Weber Xu Young Zimmer Adler Becker Conti "
    "Duarte Engel Ferrari Graf Huber Ito Jansen Kovacs Lindgren Meyer Nowak"
)
CITIES = words(
    "Aachen Bergen Cordoba Dresden Essen Faro Geneva Hamburg Izmir Jena Kassel Lisbon Malmo Nantes Oslo "
    "Porto Quito Riga Sofia Tallinn Utrecht Vienna Warsaw York Zurich Athens Basel Cologne Dublin "
    "Exeter Florence Ghent Helsinki Innsbruck Krakow Leipzig Madrid Naples Odense Prague"
)
EXTRACT = (
    "{name} from {city} ordered {order} on {date} and paid {amount}.",
    "Order {order} ({date}): {name}, {city}, total {amount}",
    "Hello, my name is {name}. I live in {city}. My order {order} of {date} cost {amount}.",
    "On {date} we shipped {order} to {name} in {city} for {amount}.",
    "Please check {order}. I paid {amount} on {date}. Best, {name}, {city}",
    "{city} store: {name} returned {order} on {date}, refund {amount}.",
    "Invoice over {amount} for {name}, order {order}, delivered to {city} on {date}.",
    "Customer {name} called about {order}; bought on {date} for {amount}; ships to {city}.",
    "I was charged {amount} on {date} for {order}. Regards {name} ({city})",
    "Why is {order} still not in {city}? I ordered it on {date} for {amount}. {name}",
)
TOOLS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "get_order": (
        ("order_id",),
        ("Where is {order}?", "Please look up order {order}", "status of {order} please"),
    ),
    "refund_order": (
        ("order_id", "amount"),
        (
            "Refund {amount} for {order}",
            "I want {amount} back, order {order}",
            "{order} broke, give me {amount} back",
        ),
    ),
    "book_visit": (
        ("name", "city", "date"),
        (
            "Book a visit in {city} on {date} for {name}",
            "{name} comes to {city} on {date}",
            "visit for {name}: {city}, {date}",
        ),
    ),
    "change_city": (
        ("order_id", "city"),
        ("Send {order} to {city} instead", "ship {order} to {city}, not here"),
    ),
}
ARGUMENT = {"order_id": "order"}


def values(random: Random, split: int) -> dict[str, str]:
    """Names and cities of one half of the lists, codes and digits that the other split cannot have."""
    half = slice(split, None, 2)
    digits = random.randint(1000, 49_999) * 2 + split
    cents = random.randint(0, 49) * 2 + split
    month, day = random.randint(1, 12), random.randint(1, 14) * 2 - split
    return {
        "name": f"{random.choice(FIRST[half])} {random.choice(LAST[half])}",
        "city": random.choice(CITIES[half]),
        "order": f"{random.choice('ABCDEF')}{random.choice('KLMNP')}-{digits}",
        "amount": f"{random.randint(5, 900)}.{cents:02d}",
        "date": f"20{random.randint(20, 29)}-{month:02d}-{day:02d}",
    }


def extraction(random: Random, split: int) -> tuple[str, str]:
    chosen = values(random, split)
    wanted = {key: chosen[key] for key in ("order", "name", "city", "amount", "date")}
    return random.choice(EXTRACT).format(**chosen), json.dumps(wanted, separators=(",", ":"))


def tool_call(random: Random, split: int) -> tuple[str, str]:
    chosen = values(random, split)
    tool = random.choice(list(TOOLS))
    names, wordings = TOOLS[tool]
    arguments = {name: chosen[ARGUMENT.get(name, name)] for name in names}
    call = {"tool": tool, "args": arguments}
    return random.choice(wordings).format(**chosen), json.dumps(call, separators=(",", ":"))


def lines(task: Callable[[Random, int], tuple[str, str]], *, count: int, split: int) -> str:
    random = Random(f"{task.__name__}/{split}")
    pairs = [task(random, split) for _ in range(count)]
    return "".join(
        json.dumps({"id": f"{split}-{at}", "prompt": prompt, "completion": completion}) + "\n"
        for at, (prompt, completion) in enumerate(pairs)
    )
