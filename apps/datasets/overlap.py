"""What held-out examples share with training: wording of prompts, values of answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from apps.datasets.building import Draft
from apps.datasets.columns import FieldSeen, Overlap, Seen
from apps.datasets.models import Split
from slmhub.formats import signature
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.tool_calls import tool_calls_of

FEW_KINDS, RECURRING = 30, 0.5
SHORTEST_VALUE = 2
TEXT = "answer"
PHRASE_END = re.compile(r"[.!?;:,\n{}\[\]\"]+")


def overlap_of(rows: Sequence[Draft]) -> Overlap:
    """A field whose few values recur in training is a choice; its values must be seen to be learnt."""
    train = [row for row in rows if row.split == Split.TRAIN]
    test = [row for row in rows if row.split == Split.TEST]
    phrases = {phrase for row in train for phrase in phrases_of(row)}
    known = _values_by_field(train)
    seen: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for row in test:
        for name, value in leaves_of(row.candidate.output):
            seen[name] += value in known.get(name, ())
            of[name] += 1
    choices = {name for name, counts in known.items() if _is_choice(counts)}
    fields = {name: FieldSeen(seen[name], of[name], name in choices) for name in sorted(of)}
    return Overlap(
        wording=Seen(sum(phrases_of(row) <= phrases for row in test), len(test)),
        values=_sum(field for field in fields.values() if not field.choice),
        choices=_sum(field for field in fields.values() if field.choice),
        fields=fields,
    )


def _sum(fields: Iterable[Seen]) -> Seen:
    fields = list(fields)
    return Seen(sum(field.seen for field in fields), sum(field.of for field in fields))


def _values_by_field(rows: Iterable[Draft]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in leaves_of(row.candidate.output):
            found.setdefault(name, Counter())[value] += 1
    return found


def _is_choice(counts: Counter[str]) -> bool:
    return len(counts) <= min(FEW_KINDS, RECURRING * counts.total())


def phrases_of(row: Draft) -> set[str]:
    """The phrases of the prompt, without the values of its own answer and whatever looks like a value.

    A prompt put together anew of phrases that all stand in training is worded like training.
    """
    values = {value for _, value in leaves_of(row.candidate.output) if len(value) >= SHORTEST_VALUE}
    text = row.prompt
    for value in sorted(values, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "0", text)
    phrases = PHRASE_END.split(signature.mask(text))
    return {phrase.strip() for phrase in phrases} - {"", signature.SLOT}


def leaves_of(output: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, value) of an answer: leaves of tool arguments or of a JSON answer, else its whole text."""
    calls = tool_calls_of(output)
    sources = [call.arguments or "{}" for call in calls] or [signature.text_of(output.get("content"))]
    for source in sources:
        value = _json(source)
        if isinstance(value, dict | list):
            yield from _leaves("", value)
        else:
            yield TEXT, source


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return decode(text)
    except NotJsonError:
        return None


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(f"{path}[]", inner)
    elif value is not None:
        yield path, value if isinstance(value, str) else orjson.dumps(value).decode()


def in_words(overlap: Overlap) -> list[str]:
    """Sentences for people: what an evaluation on these rows shows, and what it cannot."""
    words = []
    if overlap.wording.of:
        share = _percent(overlap.wording)
        words.append(f"Wording: {share} of the held-out prompts are worded like a training prompt.")
    if overlap.values.of:
        share = _percent(overlap.values)
        words.append(f"Values: {share} of the extracted values occur in training.")
    if overlap.choices.of:
        share = _percent(overlap.choices)
        words.append(
            f"Choices: {share} of the values of fields with few kinds occur in training, as they must."
        )
    return words


def _percent(counts: Seen) -> str:
    return f"{100 * counts.seen / counts.of:.0f} %"
