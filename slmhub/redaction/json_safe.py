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
# Pictures, sound and files as base64: no text, so that nothing in it is searched for.
_MEDIA = re.compile(r"data:[\w.+-]{1,40}/[\w.+-]{1,100}(?:;[\w.=+-]{1,100}){0,4},[A-Za-z0-9+/=_\s-]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SHORTEST_BASE64 = 1024


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


_Path = tuple["_Path", str] | None


class _Place(NamedTuple):
    """Where a walk stands: the segments up to here (written out only for a finding), the nearest key, levels
    of nesting and of documents in documents."""

    path: _Path = None
    key: str = ""
    depth: int = 0
    documents: int = 0


class _Leaf(NamedTuple):
    """A text at a place; `is_key` when it is the member's key."""

    path: _Path
    key: str
    text: str
    is_key: bool = False


def scan(payload: Any) -> list[PayloadFinding]:
    """All findings of a payload in document order. Raises TooDeepError."""
    return [
        PayloadFinding(
            _written(leaf), found.start, found.end, found.entity, found.score, found.detector,
            leaf.text[found.start : found.end],
        )
        for leaf in _leaves(payload, _Place())
        for found in detect(leaf.text, key=leaf.key)
    ]  # fmt: skip


def apply(payload: Any, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> Any:
    """A new payload with the findings replaced; one whose value is no longer at its place is left out.

    A number that holds a finding becomes a string. What holds no finding is shared with the old payload.
    """
    by_path: _FindingsByPath = defaultdict(list)
    for finding in findings:
        by_path[finding.path].append(finding)
    if not by_path:
        return payload
    return _replaced(payload, "", _Replacing(by_path, _ways(by_path), surrogate))


def text_at(payload: Any, path: str) -> str:
    """The text that offsets at this path count in. Raises KeyError, TooDeepError."""
    for leaf in _leaves(payload, _Place()):
        if _written(leaf) == path:
            return leaf.text
    raise KeyError(path)


def _written(leaf: _Leaf) -> str:
    segments = ["^"] if leaf.is_key else []
    path = leaf.path
    while path is not None:
        path, segment = path
        segments.append("#" if segment == "#" else f"/{_escaped(segment[1:])}")
    return "".join(reversed(segments))


def _leaves(value: Any, place: _Place) -> Iterator[_Leaf]:
    """Segments are "#" or start with "/"."""
    path, key, depth, documents = place
    if isinstance(value, str):
        document = _document(value, depth, documents)
        if document is not None:
            yield from _leaves(document, _Place((path, "#"), key, depth, documents + 1))
        elif not _is_media(value):
            yield _Leaf(path, key, value)
    elif isinstance(value, dict):
        _refuse_depth(place)
        for name, item in value.items():
            here = (path, f"/{name}")
            yield _Leaf(here, "", name, True)
            if isinstance(item, str) and _is_plain(item):
                yield _Leaf(here, name, item)
            elif item is not None:
                yield from _leaves(item, _Place(here, name, depth + 1, documents))
    elif isinstance(value, list):
        _refuse_depth(place)
        for index, item in enumerate(value):
            yield from _leaves(item, _Place((path, f"/{index}"), key, depth + 1, documents))
    elif _is_long_number(value):
        yield _Leaf(path, key, str(value))


class _Replacing(NamedTuple):
    """`ways` holds the path of every container on the way to a finding: all else stays as it is."""

    by_path: _FindingsByPath
    ways: set[str]
    surrogate: Surrogate


def _ways(paths: Iterable[str]) -> set[str]:
    ends = re.compile(r"(?=[/#^])|$")
    return {path[: end.start()] for path in paths for end in ends.finditer(path)}


def _replaced(value: Any, path: str, replacing: _Replacing) -> Any:
    if path not in replacing.ways:
        return value
    if isinstance(value, str):
        return _replaced_text(value, path, replacing)
    by_path, _, surrogate = replacing
    if isinstance(value, dict):
        members = ((key, f"{path}/{_escaped(key)}", item) for key, item in value.items())
        return {
            _with_surrogates(key, by_path.get(f"{below}^", ()), surrogate): _replaced(item, below, replacing)
            for key, below, item in members
        }
    if isinstance(value, list):
        return [_replaced(item, f"{path}/{index}", replacing) for index, item in enumerate(value)]
    if path in by_path and _is_long_number(value):
        changed = _with_surrogates(str(value), by_path[path], surrogate)
        return value if changed == str(value) else changed
    return value


def _replaced_text(text: str, path: str, replacing: _Replacing) -> str:
    document = _json(text) if f"{path}#" in replacing.ways else None
    if document is None:
        return _with_surrogates(text, replacing.by_path.get(path, ()), replacing.surrogate)
    changed = _replaced(document, f"{path}#", replacing)
    return text if changed == document else _written_like(text, document, changed)


def _with_surrogates(text: str, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> str:
    standing = [
        Finding(found.start, found.end, found.entity, found.score, found.detector)
        for found in findings
        if 0 <= found.start < found.end and text[found.start : found.end] == found.value
    ]
    return replace(text, standing, surrogate) if standing else text


def _document(text: str, depth: int, documents: int) -> Any:
    """The object or list that the text holds as JSON; None when it is plain text."""
    if documents >= _DOCUMENTS_DEEP:
        return None
    document = _json(text)
    return document if document is not None and _is_shallow(document, depth) else None


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_plain(text: str) -> bool:
    """Seen at a glance: no document and no media. Most texts are."""
    return text[:1].isalnum() and len(text) < _SHORTEST_BASE64 and not text.startswith("data:")


def _is_media(text: str) -> bool:
    if text.startswith("data:"):
        return _MEDIA.fullmatch(text) is not None
    return len(text) >= _SHORTEST_BASE64 and _BASE64.fullmatch(text) is not None


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
        where = _written(_Leaf(place.path, "", ""))[:200]
        raise TooDeepError(f"the payload is nested deeper than {_DEEPEST} levels at {where}")


def _is_long_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SHORTEST_NUMBER


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("#", "~2").replace("^", "~3")
