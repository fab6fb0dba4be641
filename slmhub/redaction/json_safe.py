"""Findings inside JSON-like payloads, and their replacement so that what was JSON stays JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slmhub.redaction import paths
from slmhub.redaction.findings import Finding, Surrogate, replace
from slmhub.redaction.paths import Member, Step
from slmhub.redaction.recognisers.recogniser import PlainText
from slmhub.redaction.recognisers.registry import RECOGNISERS, RecogniserSet

_DEEPEST = 100
_DOCUMENTS_DEEP = 8
_SHORTEST_NUMBER = 10**6
# Pictures, sound and files as base64: no text, so that nothing in it is searched for.
_MEDIA = re.compile(r"data:[\w.+-]{1,40}/[\w.+-]{1,100}(?:;[\w.=+-]{1,100}){0,4},[A-Za-z0-9+/=_\s-]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SHORTEST_BASE64 = 1024


@dataclass(frozen=True)
class PayloadFinding:
    """A finding at a path (see `paths`); `start` and `end` count in the decoded text there.

    `value` is what stands between them.
    """

    path: str
    start: int
    end: int
    entity: str
    score: float
    detector: str
    value: str


class TooDeepError(ValueError):
    """The payload is nested deeper than any message is."""


# The way to a value, from its end: the way before it, a name or an index (None steps into a document), and
# the object that the name is of.
_Way = tuple["_Way", str | int | None, Mapping[str, Any] | None] | None


class _Place(NamedTuple):
    """Where a walk stands: the way up to here (written out only for a finding), the nearest key, levels of
    nesting and of documents in documents."""

    way: _Way = None
    key: str = ""
    depth: int = 0
    documents: int = 0


def scan(payload: Any) -> list[PayloadFinding]:
    """All findings of a payload in document order. Raises TooDeepError."""
    return scan_all([payload])[0]


def scan_all(payloads: Iterable[Any], recognisers: RecogniserSet = RECOGNISERS) -> list[list[PayloadFinding]]:
    """The findings of each payload; the recognisers get the texts of all of them at once.

    Raises TooDeepError.
    """
    walk = _Walk()
    ends = []
    for payload in payloads:
        walk.through(payload, _Place())
        ends.append(len(walk.occurrences))
    texts = [PlainText(*one) for one in walk.numbers]
    found = recognisers.find(texts)
    hits = [(at, one) for at, one in enumerate(walk.occurrences) if found[one[1]]]
    sensitive = {id(way) for _, (way, _, is_key) in hits if is_key}
    scanned: list[list[PayloadFinding]] = [[] for _ in ends]
    number = 0
    for at, (way, text, is_key) in hits:
        while at >= ends[number]:
            number += 1
        path = _path_of(way, is_key, sensitive)
        scanned[number] += [_at_path(path, texts[text].text, one) for one in found[text]]
    return scanned


def apply(payload: Any, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> Any:
    """A new payload with the findings replaced; one whose value is no longer at its place is left out.

    A number that holds a finding becomes a string, and two keys that would read alike are told apart. What
    holds no finding is shared with the old payload.
    """
    branch = _branch_of(findings)
    return payload if branch is None else _replaced(payload, branch, surrogate)


def with_names(
    payload: Any, findings: Iterable[PayloadFinding], surrogate: Surrogate
) -> list[PayloadFinding]:
    """The same findings, their paths completed with what `apply` leaves of the keys on the way."""
    found = list(findings)
    root = _branch_of(one for one in found if paths.PLACE in one.path)
    if root is None:
        return found
    return [
        dataclasses.replace(one, path=_named(payload, root, one.path, surrogate))
        if paths.PLACE in one.path
        else one
        for one in found
    ]


class _Walk:
    """The texts of payloads, each different one once: what an agent says comes back all the time."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        self.occurrences: list[tuple[_Way, int, bool]] = []

    def through(self, value: Any, place: _Place) -> None:
        way, key, depth, documents = place
        if isinstance(value, str):
            document = _searchable_document(value, depth, documents)
            if document is not None:
                self.through(document, _Place((way, None, None), key, depth, documents + 1))
            elif not _is_media(value):
                self._take(way, value, key)
        elif isinstance(value, dict):
            _refuse_depth(place)
            for name, item in value.items():
                here = (way, name, value)
                self._take(here, name, "", True)
                if isinstance(item, str) and _is_plain(item):
                    self._take(here, item, name)
                elif isinstance(item, str | dict | list):
                    self.through(item, _Place(here, name, depth + 1, documents))
                elif _is_long_number(item):
                    self._take(here, str(item), name)
        elif isinstance(value, list):
            _refuse_depth(place)
            for index, item in enumerate(value):
                self.through(item, _Place((way, index, None), key, depth + 1, documents))
        elif _is_long_number(value):
            self._take(way, str(value), key)

    def _take(self, way: _Way, text: str, key: str, is_key: bool = False) -> None:
        number = self.numbers.setdefault((text, key), len(self.numbers))
        self.occurrences.append((way, number, is_key))


def _at_path(path: str, text: str, found: Finding) -> PayloadFinding:
    value = text[found.start : found.end]
    return PayloadFinding(path, found.start, found.end, found.entity, found.score, found.detector, value)


def _path_of(way: _Way, is_key: bool = False, sensitive: Collection[int] = ()) -> str:
    """`sensitive` are the ids of the ways to members whose keys hold findings themselves."""
    path: list[Step] = [paths.KEY] if is_key else []
    while way is not None:
        before, name, container = way
        if name is None:
            path.append(paths.DOCUMENT)
        elif container is not None and id(way) in sensitive:
            path.append(Member("", sorted(container).index(str(name))))
        else:
            path.append(Member(str(name)))
        way = before
    return paths.written(reversed(path))


@dataclass
class _Branch:
    """The findings at and below one value: in its key, in its text, in the document that its text holds, and
    in its members, by name or, where their keys hold findings, by place."""

    key: list[PayloadFinding] = field(default_factory=list)
    text: list[PayloadFinding] = field(default_factory=list)
    document: _Branch | None = None
    members: dict[str, _Branch] = field(default_factory=dict)
    placed: dict[int, _Branch] = field(default_factory=dict)

    def by_sensitive_key(self, value: Mapping[str, Any]) -> dict[str, _Branch]:
        """`placed`, by the keys of this object."""
        keys = sorted(value) if self.placed else []
        return {keys[place]: branch for place, branch in self.placed.items() if place < len(keys)}


def _branch_of(findings: Iterable[PayloadFinding]) -> _Branch | None:
    root = None
    for finding in findings:
        if root is None:
            root = _Branch()
        branch, is_key = root, False
        for step in paths.steps(finding.path):
            if step == paths.KEY:
                is_key = True
            elif step == paths.DOCUMENT:
                branch.document = branch.document or _Branch()
                branch = branch.document
            elif step.place is None:
                branch = branch.members.setdefault(step.name, _Branch())
            else:
                branch = branch.placed.setdefault(step.place, _Branch())
        (branch.key if is_key else branch.text).append(finding)
    return root


def _replaced(value: Any, branch: _Branch, surrogate: Surrogate) -> Any:
    if isinstance(value, str):
        return _replaced_text(value, branch, surrogate)
    if isinstance(value, list):
        items = list(value)
        for name, below in branch.members.items():
            if name.isdecimal() and int(name) < len(items):
                items[int(name)] = _replaced(items[int(name)], below, surrogate)
        return items
    if isinstance(value, dict):
        members = dict(value)
        by_key = branch.by_sensitive_key(value)
        names = _names(value, by_key, surrogate)
        for key, below in (branch.members | by_key).items():
            if key in members:
                members[key] = _replaced(members[key], below, surrogate)
        return {names.get(key, key): item for key, item in members.items()} if names else members
    if _is_long_number(value):
        changed = _with_surrogates(str(value), branch.text, surrogate)
        return value if changed == str(value) else changed
    return value


def _replaced_text(text: str, branch: _Branch, surrogate: Surrogate) -> str:
    document = document_in(text) if branch.document is not None else None
    if branch.document is None or document is None:
        return _with_surrogates(text, branch.text, surrogate)
    changed = _replaced(document, branch.document, surrogate)
    return text if changed == document else _written_like(text, document, changed)


def _names(value: Mapping[str, Any], by_key: Mapping[str, _Branch], surrogate: Surrogate) -> dict[str, str]:
    """Keys that hold findings → what is left of them.

    An address in two spellings has one surrogate: a number behind it keeps the second member from taking the
    place of the first.
    """
    names: dict[str, str] = {}
    if not by_key:
        return names
    taken = value.keys() - by_key.keys()
    for key in sorted(by_key):
        first = name = _with_surrogates(key, by_key[key].key, surrogate)
        number = 1
        while name in taken:
            number += 1
            name = f"{first} {number}"
        taken.add(name)
        names[key] = name
    return names


def _named(value: Any, branch: _Branch, path: str, surrogate: Surrogate) -> str:
    """Walks the payload along the path; `branch` is that of all findings of the payload."""
    named: list[Step] = []
    for step in paths.steps(path):
        if step == paths.DOCUMENT:
            assert branch.document is not None
            value, branch = document_in(value), branch.document
        elif isinstance(step, Member) and isinstance(value, list):
            value, branch = value[int(step.name)], branch.members[step.name]
        elif isinstance(step, Member) and step.place is None:
            value, branch = value[step.name], branch.members[step.name]
        elif isinstance(step, Member):
            by_key = branch.by_sensitive_key(value)
            key = paths.key_in_original(value, step)
            step = Member(_names(value, by_key, surrogate)[key], step.place)
            value, branch = value[key], by_key[key]
        named.append(step)
    return paths.written(named)


def _with_surrogates(text: str, findings: Iterable[PayloadFinding], surrogate: Surrogate) -> str:
    standing = [
        Finding(found.start, found.end, found.entity, found.score, found.detector)
        for found in findings
        if 0 <= found.start < found.end and text[found.start : found.end] == found.value
    ]
    return replace(text, standing, surrogate) if standing else text


def _searchable_document(text: str, depth: int, documents: int) -> Any:
    """The document to look into; None when the text is to be searched as it stands."""
    if documents >= _DOCUMENTS_DEEP:
        return None
    document = document_in(text)
    return document if document is not None and _is_shallow(document, depth) else None


def document_in(text: str) -> Any:
    """The object or list that a text is as JSON, None for any other text."""
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
        where = _path_of(place.way)[:200]
        raise TooDeepError(f"the payload is nested deeper than {_DEEPEST} levels at {where}")


def _is_long_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SHORTEST_NUMBER
