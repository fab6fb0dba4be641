"""Copy augmentation: values that an answer copies from its prompt are swapped for random ones.

The swap is made on both sides. A model that sees each name a few times learns the names; one that never sees
a name twice has to copy. No knowledge of the task is needed: a string of the answer that also stands in the
prompt is a copied value, unless it stands in so many answers that it is a label.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

from slmhub.ml.training.spec import Example

LABEL_SHARE = 0.05
LONGEST_VALUE = 200
SURROGATE = re.compile(r"\[[A-Z][A-Z_]*_\d+\]")
LETTERS_OR_DIGITS = re.compile(r"[A-Za-z]+|[0-9]+")
ONSETS = [*"bcdfghjklmnprstvwz", "ch", "sh", "st", "tr"]
VOWELS = ["a", "e", "i", "o", "u", "y", "ai", "ea", "ee", "io", "oo", "ou"]
ENDS = ["", "", "n", "r", "s", "l", "x", "ck", "nd", "ng", "th", "ez", "son"]


class CopyAugmentation:
    """Knows which strings of a training set are labels; swaps the others."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self._copied: dict[str, list[str]] = {}
        counts: Counter[str] = Counter()
        total = 0
        for example in examples:
            total += 1
            found = copied_values(example)
            self._copied[example.id] = found
            counts.update(found)
        self._labels = {value for value, count in counts.items() if count > max(1.0, LABEL_SHARE * total)}

    def __call__(self, example: Example, random: Random) -> tuple[str, str]:
        """Prompt and completion with every copied value replaced by one of the same shape."""
        values = [value for value in self._copied.get(example.id, ()) if value not in self._labels]
        if not values:
            return example.prompt, example.completion
        swaps = {value: of_the_same_shape(value, random) for value in values}
        longest_first = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
        pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9])")
        prompt, completion = (
            pattern.sub(lambda match: swaps[match.group()], text)
            for text in (example.prompt, example.completion)
        )
        return prompt, completion


def copied_values(example: Example) -> list[str]:
    """Strings of the answer that stand, as whole words, in the prompt; never the keys of a JSON answer."""
    candidates, keys = _strings(example.completion)
    return [
        value
        for value in dict.fromkeys(candidates)
        if value not in keys and _stands_in(value, example.prompt) and value in example.completion
    ]


def _stands_in(value: str, prompt: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", prompt) is not None


def _strings(completion: str) -> tuple[list[str], set[str]]:
    """Candidates and keys of a JSON answer; the words of any other."""
    try:
        value = json.loads(completion)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict | list):
        words = re.findall(r"\[[A-Z_]+_\d+\]|[\w@.+-]*\w", completion)
        return [word for word in words if len(word) > 1], set()
    keys: set[str] = set()
    leaves = [leaf for leaf in _leaves(value, keys) if 0 < len(leaf) <= LONGEST_VALUE]
    return [leaf for leaf in leaves if LETTERS_OR_DIGITS.search(leaf)], keys


def _leaves(value: object, keys: set[str]) -> Iterator[str]:
    if isinstance(value, dict):
        keys.update(value)
        for inner in value.values():
            yield from _leaves(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, keys)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)


def of_the_same_shape(value: str, random: Random) -> str:
    """Words for words, digits for digits, everything else as it is."""
    if SURROGATE.fullmatch(value):
        return re.sub(r"\d+", str(random.randint(1, 400)), value)
    return LETTERS_OR_DIGITS.sub(lambda match: _run_of_the_same_shape(match.group(), random), value)


def _run_of_the_same_shape(run: str, random: Random) -> str:
    if run.isdigit():
        first = random.choice("123456789") if run[0] != "0" else "0"
        return first + "".join(random.choices(string.digits, k=len(run) - 1))
    if len(run) <= 2 or run.isupper():
        letters = "".join(random.choices(string.ascii_lowercase, k=len(run)))
    else:
        syllables = random.randint(1, 3)
        letters = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(syllables))
        letters += random.choice(ENDS)
    if run.isupper():
        return letters.upper()
    return letters.capitalize() if run[0].isupper() else letters
