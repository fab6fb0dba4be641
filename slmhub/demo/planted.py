"""Personal data planted in customers' texts: well formed, checksums valid, belonging to nobody."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slmhub.demo.values import Half, Values


class Entity(StrEnum):
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN = "IBAN"
    API_KEY = "API_KEY"


@dataclass(frozen=True)
class Planted:
    entity: Entity
    value: str
    sentence: str


_SENTENCES = {
    Entity.EMAIL: ("You can write to {}.", "My e-mail is {}.", "Answer to {} please."),
    Entity.PHONE: ("My number is {}.", "You reach me at {}.", "Phone {}."),
    Entity.CREDIT_CARD: ("I paid with card {}.", "The card was {}."),
    Entity.IBAN: ("My IBAN is {}.", "Use my account {}."),
    Entity.API_KEY: ("Your app printed the key {}.", "The error page shows token {}."),
}


def luhn_valid(number: str) -> bool:
    """Luhn checksum (ISO/IEC 7812-1) over the digits of `number`."""
    digits = [int(c) for c in number if c.isdigit()][::-1]
    doubled = (d * 2 - 9 if d > 4 else d * 2 for d in digits[1::2])
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def iban_valid(iban: str) -> bool:
    """ISO 13616: rearranged and read as a number, the remainder by 97 is 1."""
    compact = iban.replace(" ", "")
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def plant(rng: random.Random, entities: tuple[Entity, ...]) -> Planted:
    """One sentence holding one value of one of `entities`."""
    entity = rng.choice(entities)
    value = _MAKERS[entity](rng)
    return Planted(entity, value, rng.choice(_SENTENCES[entity]).format(value))


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _email(rng: random.Random) -> str:
    first, last = Values(rng, Half.LOGGED).name().lower().split()
    handle = rng.choice([f"{first}.{last}", f"{first}{rng.randrange(10, 99)}", f"{last}_{first[0]}"])
    return f"{handle}@{rng.choice(['example.com', 'example.org', 'mail.example.net'])}"


def _phone(rng: random.Random) -> str:
    return rng.choice(
        [
            f"+49 151 2{_digits(rng, 7)}",
            f"+44 7400 {_digits(rng, 6)}",
            f"+1 212-55{rng.randrange(2, 9)}-{_digits(rng, 4)}",
        ]
    )


def _card(rng: random.Random) -> str:
    stem = rng.choice(["4", "51", "52", "53", "54"])
    stem += _digits(rng, 15 - len(stem))
    number = next(stem + check for check in string.digits if luhn_valid(stem + check))
    separator = rng.choice(["", " ", "-"])
    return separator.join(number[i : i + 4] for i in range(0, 16, 4))


def _iban(rng: random.Random) -> str:
    country, account = rng.choice([("DE", _digits(rng, 18)), ("NL", "INGB" + _digits(rng, 10))])
    remainder = int("".join(str(int(c, 36)) for c in f"{account}{country}00")) % 97
    iban = f"{country}{98 - remainder:02d}{account}"
    return iban if rng.random() < 0.5 else " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))


def _api_key(rng: random.Random) -> str:
    letters = string.ascii_letters + string.digits
    return rng.choice(
        [
            "AKIA" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=16)),
            "ghp_" + "".join(rng.choices(letters, k=36)),
            "sk_live_" + "".join(rng.choices(letters, k=24)),
        ]
    )


_MAKERS: dict[Entity, Callable[[random.Random], str]] = {
    Entity.EMAIL: _email,
    Entity.PHONE: _phone,
    Entity.CREDIT_CARD: _card,
    Entity.IBAN: _iban,
    Entity.API_KEY: _api_key,
}
