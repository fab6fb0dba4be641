"""Random values of the shapes that agents pass around; none is taken from a list of real names or places."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ONSETS = _words(
    "b c d f g h j k l m n p q r s t v w x z bl br ch cl cr dr fl fr gl gr kl kr pl pr qu sc sh sk sl "
    "sm sp st str th tr tw wh"
)
VOWELS = _words("a e i o u y aa ae ai au ea ee ei ia ie io oa oe oo ou ue ui")
CODAS = _words(
    "b d ck ct ff ft g l ld ll lm lt m mb mp n nc nd ng nk nn nt p r rd rk rm rn rt s sh sk ss st t th "
    "tt tz x z son ton man ley ez ini ova ski ic"
)
MONTHS = _words("January February March April May June July August September October November December")
COMMON_WORDS = _words(
    "the a an of to in on at for with and or but is was are be this that it please can could would you "
    "I we my our your need want have has get got send sent new old back now later today soon still "
    "again about into over by from order item box parcel bill price day week time team hello hi dear "
    "thanks thank regards store branch office paid bought sold ask call check note update status help "
    "problem issue question since before after there here which who when where how why not no yes very "
    "just also already never first last next open close small large red blue green black white left "
    "right page screen door light phone table chair paper water"
)


def word(random: Random) -> str:
    """A pronounceable pseudo-word, or now and then a random run of letters."""
    if random.random() < 0.2:
        return "".join(random.choices(string.ascii_lowercase, k=random.randint(2, 11)))
    syllables = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(random.randint(1, 3)))
    start = random.choice(VOWELS) if random.random() < 0.2 else ""
    end = random.choice(CODAS) if random.random() < 0.6 else ""
    return start + syllables + end


def person(random: Random) -> str:
    parts = [word(random).capitalize() for _ in range(random.choices([1, 2, 3], [0.2, 0.7, 0.1])[0])]
    if random.random() < 0.06:
        parts[-1] = f"{parts[-1]}-{word(random).capitalize()}"
    return " ".join(parts)


def place(random: Random) -> str:
    parts = [word(random).capitalize() for _ in range(random.choices([1, 2], [0.8, 0.2])[0])]
    return " ".join(parts)


def code(random: Random) -> str:
    kind = random.randrange(5)
    if kind == 0:
        letters = "".join(random.choices(string.ascii_uppercase, k=random.randint(1, 4)))
        return letters + random.choice("-/#_") + digits(random, 2, 7)
    if kind == 1:
        return "".join(random.choices(string.ascii_uppercase + string.digits, k=random.randint(4, 10)))
    if kind == 2:
        return "".join(random.choices(string.ascii_letters + string.digits + "-", k=random.randint(4, 14)))
    if kind == 3:
        return random.choice("#ABCDKTX") + digits(random, 3, 8)
    return f"{word(random)}-{digits(random, 1, 4)}"


def digits(random: Random, least: int, most: int) -> str:
    return "".join(random.choices(string.digits, k=random.randint(least, most)))


def date(random: Random) -> str:
    year, month, day = random.randint(1990, 2039), random.randint(1, 12), random.randint(1, 28)
    name = MONTHS[month - 1]
    iso = f"{year}-{month:02d}-{day:02d}"
    forms = [iso, iso, iso, f"{day:02d}.{month:02d}.{year}", f"{month}/{day}/{year}", f"{day} {name}"]
    return random.choice([*forms, f"{name} {day}", f"{name[:3]} {day}, {year}"])


def time_of_day(random: Random) -> str:
    hour, minute = random.randint(0, 23), random.randint(0, 59)
    return random.choice(
        [f"{hour:02d}:{minute:02d}", f"{hour % 12 + 1} pm", f"{hour % 12 + 1}:{minute:02d} am"]
    )


def money(random: Random) -> str:
    amount = f"{random.randint(1, 1999)}.{random.randint(0, 99):02d}"
    return random.choice([amount, amount, f"{random.randint(1, 9999)}", f"${amount}", f"{amount} EUR"])


def count(random: Random) -> str:
    return str(random.randint(1, 10 ** random.randint(1, 3)))


def email(random: Random) -> str:
    user = word(random) + random.choice([".", "_", ""]) + random.choice([word(random), digits(random, 1, 3)])
    return f"{user}@{word(random)}.{random.choice(['com', 'org', 'net', 'io', 'example'])}"


def phone(random: Random) -> str:
    head = random.choice(["+", "0", ""]) + digits(random, 2, 3)
    return head + random.choice([" ", "-", ""]) + digits(random, 4, 7)


def token(random: Random) -> str:
    inner = "".join(random.choices(string.ascii_letters + string.digits + "-_.", k=random.randint(2, 17)))
    return inner + random.choice(string.ascii_letters + string.digits)


def surrogate(random: Random) -> str:
    """What redaction leaves in place of a value."""
    entity = random.choice(["EMAIL", "PERSON", "PHONE", "PLACE", "ID", "CARD", word(random).upper()])
    return f"[{entity}_{random.randint(1, 400)}]"


def phrase(random: Random) -> str:
    return " ".join(
        random.choice(COMMON_WORDS[60:]) if random.random() < 0.5 else word(random)
        for _ in range(random.randint(1, 4))
    )


def filler(random: Random, least: int, most: int) -> str:
    """Words that mean nothing and stand around the values."""
    return " ".join(
        random.choice(COMMON_WORDS) if random.random() < 0.8 else word(random)
        for _ in range(random.randint(least, most))
    )


@dataclass(frozen=True)
class Kind:
    """A kind of value: how to make one, what keys call it, and how a sentence brings it in."""

    make: Callable[[Random], str]
    keys: tuple[str, ...]
    clauses: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "person": Kind(
        person,
        _words("name customer buyer client person user contact guest full_name holder passenger owner"),
        (
            "I am {v}",
            "this is {v}",
            "{v} here",
            "{v} speaking",
            "signed {v}",
            "by {v}",
            "for {v}",
            "{v} bought it",
            "{v} asks",
            "{v}'s account",
            "{v} is the owner",
            "client {v}",
            "under the name {v}",
            "guest: {v}",
            "name is {v}",
            "{v} wrote",
            "ask for {v}",
            "{v}",
        ),
    ),
    "place": Kind(
        place,
        _words("city place town location destination origin region from_city to"),
        (
            "in {v}",
            "from {v}",
            "to {v}",
            "near {v}",
            "{v} branch",
            "{v} shop:",
            "{v} team:",
            "{v} region",
            "{v} is my home",
            "the {v} office",
            "city of {v}",
            "({v})",
            "shipped to {v}",
            "living in {v}",
            "at {v}",
            "{v}",
        ),
    ),
    "code": Kind(
        code,
        _words("order code ref id ticket sku parcel item order_id reference number booking"),
        (
            "order {v}",
            "{v} is late",
            "{v} arrived",
            "{v}:",
            "code {v}",
            "ref {v}",
            "number {v}",
            "ticket {v}",
            "parcel {v}",
            "({v})",
            "about {v}",
            "item no. {v}",
            "{v}",
            "with id {v}",
            "booking {v}",
            "#{v}",
        ),
    ),
    "date": Kind(
        date,
        _words("date day when due start end deadline"),
        (
            "on {v}",
            "dated {v}",
            "due {v}",
            "since {v}",
            "by {v}",
            "until {v}",
            "{v}",
            "as of {v}",
            "on the {v}",
        ),
    ),
    "time": Kind(
        time_of_day, _words("time at hour"), ("at {v}", "around {v}", "{v}", "before {v}", "from {v} on")
    ),
    "money": Kind(
        money,
        _words("amount sum total price paid cost value budget"),
        (
            "for {v}",
            "{v} is wrong",
            "{v} due",
            "paid {v}",
            "costs {v}",
            "total {v}",
            "sum of {v}",
            "at {v}",
            "{v} was charged",
            "a bill of {v}",
            "{v} in all",
            "price: {v}",
        ),
    ),
    "count": Kind(
        count,
        _words("count quantity qty people nights size"),
        ("{v} pieces", "{v} of them", "for {v} people", "x{v}", "{v} units", "quantity {v}"),
    ),
    "email": Kind(
        email,
        _words("email mail address e_mail"),
        ("mail {v}", "write to {v}", "via {v}", "<{v}>", "reach me at {v}", "{v}", "my address is {v}"),
    ),
    "phone": Kind(
        phone, _words("phone tel mobile"), ("call {v}", "tel {v}", "phone {v}", "ring me on {v}", "{v}")
    ),
    "token": Kind(token, _words("token key text hash"), ("token {v}", "value {v}", "text {v}", "{v}")),
    "surrogate": Kind(
        surrogate,
        _words("email name phone user account contact"),
        (
            "I am {v}",
            "{v} here",
            "mail {v}",
            "account {v}",
            "for {v}",
            "from {v}",
            "{v}",
            "user {v}",
            "is {v}",
        ),
    ),
    "phrase": Kind(
        phrase,
        _words("product subject reason topic title issue"),
        (
            'called "{v}"',
            "about the {v}",
            "my {v}",
            "the {v} is broken",
            "reason: {v}",
            "a new {v}",
            "because of {v}",
            "regarding {v}",
            "'{v}'",
        ),
    ),
}
