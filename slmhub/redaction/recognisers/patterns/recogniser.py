"""Patterns as a recogniser: one pass of all of them together says which detectors have to look at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256

import phonenumbers
import re2

from slmhub.redaction.findings import Finding, merge
from slmhub.redaction.recognisers.patterns.detectors import DETECTORS, Detector
from slmhub.redaction.recognisers.recogniser import Target, Text

# Goes up when the code here or in `checks` decides otherwise; the detectors' own lines count by themselves.
REVISION = 1

_SHORTEST = 5
_KEY_LENGTH = 64
_REPEATED_LENGTH = 64
_ESCAPED_SPACE = re.compile(r"\\[nrt]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Patterns:
    """Finds values by these detectors."""

    name = "patterns"

    def __init__(self, detectors: Sequence[Detector] = DETECTORS) -> None:
        self.version = _version(detectors)
        self.targets = tuple(Target(detector.name, detector.entity) for detector in detectors)
        self._gate = re2.Set.SearchSet(_options())
        for detector in detectors:
            self._gate.Add(detector.pattern)
        self._gate.Compile()
        self._compiled = [(detector, re2.compile(detector.pattern, _options())) for detector in detectors]
        # Roles, names, models and ids come back all the time.
        self._remembered = lru_cache(maxsize=20_000)(self._found)

    def find(self, texts: Sequence[Text]) -> list[Sequence[Finding]]:
        found: list[Sequence[Finding]] = []
        for one in texts:
            text = one.text
            if len(text) < _SHORTEST:
                found.append(())
            elif len(text) <= _REPEATED_LENGTH:
                found.append(self._remembered(text, one.key))
            else:
                found.append(self._found(text, one.key))
        return found

    def _found(self, text: str, key: str) -> tuple[Finding, ...]:
        cue = f"{key[-_KEY_LENGTH:]}: " if key else ""
        readable = _readable(cue + text)
        suspects = self._gate.Match(readable)
        if not suspects:
            return ()
        found = merge(self._all(readable, suspects))
        return tuple(_shifted(finding, len(cue)) for finding in found if finding.end > len(cue))

    def _all(self, text: str, suspects: Iterable[int]) -> Iterator[Finding]:
        for index in suspects:
            detector, pattern = self._compiled[index]
            for match in pattern.finditer(text):
                kept = detector.check(text, match.span(pattern.groups and 1))
                if kept:
                    yield Finding(*kept, detector.entity.value, detector.score, detector.name)


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


def _version(detectors: Sequence[Detector]) -> str:
    """The tables of phonenumbers decide what a number is, so that its version counts too."""
    lines = [(one.name, one.entity.value, one.pattern, one.check.__name__, one.score) for one in detectors]
    return sha256(repr((REVISION, phonenumbers.__version__, lines)).encode()).hexdigest()[:8]


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
