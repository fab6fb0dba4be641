"""Where a text stands in a JSON-like payload, said so that redaction does not change it.

A path is a JSON pointer to the text that a finding's offsets count in. "#" steps into the JSON document that
a string holds (tool arguments, tool results); a last "^" means the member's key instead of its value. In
keys, ~0 ~1 ~2 ~3 stand for ~ / # ^.

A key that holds a finding itself is named by its place among the sorted keys of its object, "~4" and a
number, behind the name that redaction leaves it (none as long as nothing is redacted):

    /content#/people/[EMAIL_1]~40/mail

The place leads through the original and the name through what was redacted, so that one path serves both,
whatever is found of the same original later on. The order in which the keys are stored means nothing:
PostgreSQL has its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

DOCUMENT: Final = "#"
KEY: Final = "^"
PLACE: Final = "~4"
_PLACES = re.compile(r"~4\d+")
_STEP = re.compile(r"#|\^|/[^/#^]*")


class Member(NamedTuple):
    """A step into an object or a list; only a key that holds a finding has a `place`."""

    name: str
    place: int | None = None


Step = Member | Literal["#", "^"]


def steps(path: str) -> list[Step]:
    found: list[Step] = []
    for text in _STEP.findall(path):
        if text in (DOCUMENT, KEY):
            found.append(text)
        else:
            name, mark, place = text[1:].partition(PLACE)
            found.append(Member(_unescaped(name), int(place) if mark else None))
    return found


def written(path: Iterable[Step]) -> str:
    return "".join(
        f"/{_escaped(step.name)}{'' if step.place is None else f'{PLACE}{step.place}'}"
        if isinstance(step, Member)
        else step
        for step in path
    )


def without_places(path: str) -> str:
    """As the path reads in the redacted payload."""
    return _PLACES.sub("", path)


def key_in_original(value: Mapping[str, Any], member: Member) -> str:
    """Raises IndexError."""
    return member.name if member.place is None else sorted(value)[member.place]


def key_in_redacted(_: Mapping[str, Any], member: Member) -> str:
    return member.name


def text_at(original: Any, path: str) -> str:
    """The text at this path of a payload as it was scanned. Raises KeyError."""
    return _text_at(original, path, key_in_original)


def redacted_text_at(redacted: Any, path: str) -> str:
    """The text at the same path after redaction. Raises KeyError."""
    return _text_at(redacted, path, key_in_redacted)


def text_of(value: Any) -> str | None:
    """What offsets count in: a string, or the digits of a whole number."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _text_at(value: Any, path: str, key_of: Callable[[Mapping[str, Any], Member], str]) -> str:
    key = ""
    try:
        for step in steps(path):
            if step == DOCUMENT:
                value = json.loads(value)
            elif step == KEY:
                value = key
            elif isinstance(value, dict):
                key = key_of(value, step)
                value = value[key]
            elif isinstance(value, list):
                value = value[int(step.name)]
            else:
                raise KeyError(path)
    except (LookupError, TypeError, ValueError):
        raise KeyError(path) from None
    text = text_of(value)
    if text is None:
        raise KeyError(path)
    return text


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("#", "~2").replace("^", "~3")


def _unescaped(key: str) -> str:
    return key.replace("~3", "^").replace("~2", "#").replace("~1", "/").replace("~0", "~")
