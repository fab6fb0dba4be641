"""Invented values from spaces so large that two sessions seldom share one."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from enum import IntEnum

_ONSETS = [
    "b",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "dr",
    "kl",
    "st",
    "tr",
]
_VOWELS = ["a", "e", "i", "o", "u"]
_CODAS = ["k", "l", "m", "n", "r", "s", "t", "x"]
_TOWN_ENDINGS = [
    "burg",
    "ton",
    "ford",
    "ville",
    "stad",
    "minster",
    "wick",
    "holm",
    "mouth",
    "haven",
    "field",
    "gate",
]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Half(IntEnum):
    """Codes, names and towns are halved, so that fresh requests can never repeat a logged one."""

    LOGGED = 0
    FRESH = 1


def _open_syllable(rng: random.Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(_VOWELS)


def _word(rng: random.Random) -> str:
    return (_open_syllable(rng) + _open_syllable(rng) + rng.choice(_CODAS)).capitalize()


class Values:
    """Draws order codes, names, towns and amounts of one half of their spaces."""

    def __init__(self, rng: random.Random, half: Half) -> None:
        self._rng = rng
        self._half = half

    def order(self) -> str:
        return self._of_half(self._order)

    def name(self) -> str:
        return self._of_half(lambda: f"{_word(self._rng)} {_word(self._rng)}")

    def city(self) -> str:
        return self._of_half(self._city)

    def amount(self, most: float = 1499.99) -> str:
        cents = self._rng.randint(500, max(501, round(most * 100)))
        return f"{cents // 100}.{cents % 100:02d}"

    def _order(self) -> str:
        letters = "".join(self._rng.choices(_LETTERS, k=self._rng.choice((2, 3))))
        return f"{letters}-{self._rng.randrange(10_000, 100_000)}"

    def _city(self) -> str:
        stem = _open_syllable(self._rng) + _open_syllable(self._rng) + self._rng.choice(["", "l", "n", "r"])
        return stem.capitalize() + self._rng.choice(_TOWN_ENDINGS)

    def _of_half(self, draw: Callable[[], str]) -> str:
        while True:
            value = draw()
            if zlib.crc32(value.encode()) % 2 == self._half:
                return value
