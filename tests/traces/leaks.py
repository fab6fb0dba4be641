"""Values of people and keys, planted where an emitter may put a text, and everything that a hub keeps."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

_LETTERS = string.ascii_letters + string.digits


@dataclass
class Planted:
    """Every call makes new values, so that one that leaks tells from where."""

    places: dict[str, str] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def text(self, place: str) -> str:
        """A sentence with an address, a card and a key."""
        return f"Mail {self.mail(place)} or use card {self.card(place)}, the key is {self.key(place)} for now"

    def mail(self, place: str) -> str:
        return self._kept(place, f"ann.{self._letters(8).lower()}@acme.org")

    def card(self, place: str) -> str:
        digits = "4" + "".join(self.random.choices(string.digits, k=14))
        doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(digits)]
        check = -sum(number // 10 + number % 10 for number in doubled) % 10
        return self._kept(place, f"{digits}{check}")

    def key(self, place: str) -> str:
        return self._kept(place, f"sk-proj-{self._letters(40)}")

    def leaks(self, home: Path) -> set[tuple[str, str]]:
        """(place, where it was found) of the values that stand anywhere in clear."""
        found = set()
        for where, kept in (*rows(), *files(home)):
            found |= {(place, where) for value, place in self.places.items() if value in kept}
        return found

    def _kept(self, place: str, value: str) -> str:
        self.places[value] = place
        return value

    def _letters(self, count: int) -> str:
        return "".join(self.random.choices(_LETTERS, k=count))


def rows() -> Iterator[tuple[str, str]]:
    """Every value of every table; bytes read as Latin-1, in which ASCII values would show."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    yield f"{table}.{column}", _text(value)


def _text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def files(home: Path) -> Iterator[tuple[str, str]]:
    for path in home.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(home)), path.name + path.read_bytes().decode("latin-1")
