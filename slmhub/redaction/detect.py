"""Findings in a text: one pass of all patterns together says which detectors have to look at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import re2

from slmhub.redaction.detectors import DETECTORS, Detector
from slmhub.redaction.findings import Finding, Surrogate, merge, replace

_SHORTEST = 5
_KEY_LENGTH = 64
_REPEATED_LENGTH = 64
_ESCAPED_SPACE = re.compile(r"\\[nrt]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


def _gate() -> re2.Set:
    gate = re2.Set.SearchSet(_options())
    for detector in DETECTORS:
        gate.Add(detector.pattern)
    gate.Compile()
    return gate


_GATE = _gate()
_COMPILED = tuple((detector, re2.compile(detector.pattern, _options())) for detector in DETECTORS)


def detect(text: str, *, key: str = "") -> list[Finding]:
    """Findings in order, without overlap. `key` is the JSON key that the text stands under: a cue."""
    if len(text) < _SHORTEST:
        return []
    return list(_remembered(text, key) if len(text) <= _REPEATED_LENGTH else _found(text, key))


def _found(text: str, key: str) -> tuple[Finding, ...]:
    cue = f"{key[-_KEY_LENGTH:]}: " if key else ""
    readable = _readable(cue + text)
    suspects = _GATE.Match(readable)
    if not suspects:
        return ()
    found = merge(_all(readable, suspects))
    return tuple(_shifted(finding, len(cue)) for finding in found if finding.end > len(cue))


# Roles, names, models and ids come back all the time.
_remembered = lru_cache(maxsize=20_000)(_found)


def redact(text: str, surrogate: Surrogate) -> str:
    """The text with every finding replaced by `surrogate(entity, value)`."""
    return replace(text, detect(text), surrogate)


def _all(text: str, suspects: Iterable[int]) -> Iterator[Finding]:
    for index in suspects:
        detector, pattern = _COMPILED[index]
        for match in pattern.finditer(text):
            finding = _checked(detector, text, match.span(pattern.groups and 1))
            if finding:
                yield finding


def _checked(detector: Detector, text: str, span: tuple[int, int]) -> Finding | None:
    kept = detector.check(text, span)
    return Finding(*kept, detector.entity.value, detector.score, detector.name) if kept else None


def _shifted(finding: Finding, offset: int) -> Finding:
    start = max(0, finding.start - offset)
    return Finding(start, finding.end - offset, finding.entity, finding.score, finding.detector)


def _readable(text: str) -> str:
    """The text as detectors shall see it, all offsets kept.

    Half a surrogate pair has no UTF-8; an escaped line end (broken JSON, code) would glue its letter to the
    word behind it.
    """
    if "\\" in text:
        text = _ESCAPED_SPACE.sub("  ", text)
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
