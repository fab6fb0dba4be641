"""Findings inside a JSON-like payload, and their replacement so that what was JSON stays JSON.

A path is a JSON pointer to the text that a finding's offsets count in. "#" steps into the JSON document that
a string holds (tool arguments, tool results); a last "^" means the member's key instead of its value. In
keys, ~0 ~1 ~2 ~3 stand for ~ / # ^.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from slmhub.redaction.detect import detect
from slmhub.redaction.findings import Finding, Surrogate, replace

_DEEPEST = 100
_DOCUMENTS_DEEP = 8
_SHORTEST_NUMBER = 10**6
_MEDIA = re.compile(r"data:(?:image|audio|video|font)/[\w.+-]{1,40};base64,")


@dataclass(frozen=True)
class PayloadFinding:
    """A finding at a path; `start` and `end` count in the decoded text there, where `value` stands."""

    path: str
    start: int
    end: int
    entity: str
    score: float
    detector: str
    value: str


class TooDeepError(ValueError):
    """The payload is nested deeper than any message is."""


_FindingsByPath = dict[str, list[PayloadFinding]]


class _Leaf(NamedTuple):
    path: str
    key: str
    text: str


class _Place(NamedTuple):
    """Where a walk stands: the path, the nearest key, levels of nesting and of documents in documents."""

    path: str = ""
    key: str = ""
    depth: int = 0
    documents: int = 0

    def member(self, key: str) -> _Place:
        return self._replace(path=f"{self.path}/{_escaped(key)}", key=key, depth=self.depth + 1)

    def item(self, index: int) -> _Place:
        return self._replace(path=f"{self.path}/{index}", depth=self.depth + 1)

    def inside(self) -> _Place:
        return self._replace(path=f"{self.path}#", documents=self.documents + 1)


def scan(payload: Any) -> list[PayloadFinding]:
    """All findings of a payload in document order. Raises TooDeepError."""
    return [
        PayloadFinding(
            leaf.path, found.start, found.end, found.entity, found.score, found.detector,
            leaf.text[found.start : found.end],
        )
        for leaf in _leaves(payload, _Place())
        for found in detect(leaf.text, key=leaf.key)
    ]  # fmt: skip


def apply(payload: Any, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> Any:
    """A new payload with the findings replaced; one whose value is no longer at its place is left out.

    A number that holds a finding becomes a string. Raises TooDeepError.
    """
    by_path: _FindingsByPath = defaultdict(list)
    for finding in findings:
        by_path[finding.path].append(finding)
    return _replaced(payload, _Place(), by_path, surrogate) if by_path else payload


def text_at(payload: Any, path: str) -> str:
    """The text that offsets at this path count in. Raises KeyError, TooDeepError."""
    for leaf in _leaves(payload, _Place()):
        if leaf.path == path:
            return leaf.text
    raise KeyError(path)


def _leaves(value: Any, place: _Place) -> Iterator[_Leaf]:
    if isinstance(value, str):
        yield from _string_leaves(value, place)
    elif isinstance(value, dict):
        _refuse_depth(place)
        for key, item in value.items():
            yield _Leaf(f"{place.member(key).path}^", "", key)
            yield from _leaves(item, place.member(key))
    elif isinstance(value, list):
        _refuse_depth(place)
        for index, item in enumerate(value):
            yield from _leaves(item, place.item(index))
    elif _is_long_number(value):
        yield _Leaf(place.path, place.key, str(value))


def _string_leaves(text: str, place: _Place) -> Iterator[_Leaf]:
    document = _document(text, place)
    if document is not None:
        yield from _leaves(document, place.inside())
    elif not _MEDIA.match(text):
        yield _Leaf(place.path, place.key, text)


def _replaced(value: Any, place: _Place, by_path: _FindingsByPath, surrogate: Surrogate) -> Any:
    if isinstance(value, str):
        document = _document(value, place)
        if document is None:
            return _with_surrogates(value, by_path.get(place.path, ()), surrogate)
        changed = _replaced(document, place.inside(), by_path, surrogate)
        return value if changed == document else _written_like(value, document, changed)
    if isinstance(value, dict):
        _refuse_depth(place)
        return {
            _with_surrogates(key, by_path.get(f"{place.member(key).path}^", ()), surrogate): _replaced(
                item, place.member(key), by_path, surrogate
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        _refuse_depth(place)
        return [_replaced(item, place.item(index), by_path, surrogate) for index, item in enumerate(value)]
    if place.path in by_path and _is_long_number(value):
        changed = _with_surrogates(str(value), by_path[place.path], surrogate)
        return value if changed == str(value) else changed
    return value


def _with_surrogates(text: str, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> str:
    standing = [
        Finding(found.start, found.end, found.entity, found.score, found.detector)
        for found in findings
        if 0 <= found.start < found.end and text[found.start : found.end] == found.value
    ]
    return replace(text, standing, surrogate) if standing else text


def _document(text: str, place: _Place) -> Any:
    """The object or list that the text holds as JSON; None when it is plain text."""
    if place.documents >= _DOCUMENTS_DEEP or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if _is_shallow(document, place.depth) else None


def _written_like(original: str, document: Any, changed: Any) -> str:
    """JSON in the spacing and escaping of the original, as far as json.dumps has them."""
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            if json.dumps(document, separators=separators, ensure_ascii=ascii_only) == original:
                return json.dumps(changed, separators=separators, ensure_ascii=ascii_only)
    return json.dumps(changed, ensure_ascii=original.isascii())


def _is_shallow(value: Any, depth: int) -> bool:
    level = [value]
    while level and depth <= _DEEPEST:
        level = [item for container in level for item in _items(container) if isinstance(item, dict | list)]
        depth += 1
    return not level


def _items(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _refuse_depth(place: _Place) -> None:
    if place.depth > _DEEPEST + 1:
        raise TooDeepError(f"the payload is nested deeper than {_DEEPEST} levels at {place.path[:200]}")


def _is_long_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SHORTEST_NUMBER


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("#", "~2").replace("^", "~3")
