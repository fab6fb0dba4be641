"""Paths of findings that were stored before paths had places, led through the originals.

Such a path names a sensitive key by its surrogate only. Which key of the original that was, the vault tells:
the one where the keyed digest of what stands between the finding's offsets is the digest of its surrogate. No
recogniser is asked, so that it does not matter which ones there are today.

Keys of one object that differ in the spelling of one value only ("Bob@acme.org", "bob@acme.org") had become
one member when they were redacted. They are two again as soon as the body is made anew; a finding below leads
to the one that holds its value, to both if both do, and its page shows the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from apps.privacy.models import Finding
from apps.privacy.surrogates import Value, Vault
from slmhub import redaction
from slmhub.redaction import json_safe
from slmhub.redaction.paths import DOCUMENT, KEY, Member, Step, steps, written


class _Way(NamedTuple):
    """What stands in the original at the end of some steps."""

    value: Any
    steps: tuple[Step, ...] = ()


def paths_in_original(
    original: Any, finding: Finding, siblings: Sequence[Finding], vault: Vault
) -> list[str]:
    """Every path of the original that the finding's may mean; `siblings` are all findings of its content."""
    ways, walked = [_Way(original)], ""
    for step in steps(finding.path):
        walked += written([step])
        of_key = [sibling for sibling in siblings if sibling.path == f"{walked}{KEY}"]
        ways = [further for way in ways for further in _further(way, step, of_key, vault)]
    return [written(way.steps) for way in ways]


def _further(way: _Way, step: Step, of_key: Sequence[Finding], vault: Vault) -> Iterator[_Way]:
    """`of_key` are the findings in the key that this step names."""
    value, before = way
    if step == KEY:
        yield _Way(value, (*before, step))
    elif step == DOCUMENT:
        document = json_safe.document_in(value) if isinstance(value, str) else None
        if document is not None:
            yield _Way(document, (*before, step))
    elif isinstance(value, list):
        if step.name.isdecimal() and int(step.name) < len(value):
            yield _Way(value[int(step.name)], (*before, step))
    elif isinstance(value, dict):
        if step.name in value:
            yield _Way(value[step.name], (*before, step))
        for place, key in enumerate(sorted(value) if of_key else ()):
            if _as_stored(key, of_key, vault) == step.name:
                yield _Way(value[key], (*before, Member(step.name, place)))


def _as_stored(key: str, of_key: Sequence[Finding], vault: Vault) -> str:
    """The key with those of the findings replaced that are findings of just this key."""
    spans, surrogates = [], {}
    for finding in of_key:
        value = Value(finding.entity, key[finding.start : finding.end])
        if vault.digest(value) == bytes(finding.surrogate.digest):
            surrogates[value.entity, value.text] = finding.surrogate.text
            spans.append(
                redaction.Finding(finding.start, finding.end, finding.entity, finding.score, finding.detector)
            )
    return redaction.replace(key, spans, lambda entity, text: surrogates[entity, text])
