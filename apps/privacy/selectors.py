"""Reads of the review page: figures, the list, each finding in its context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet

from apps.accounts.models import Workspace
from apps.privacy.models import Decision, Finding
from slmhub import redaction
from slmhub.redaction import RECOGNISERS, Entity

AROUND = 90


@dataclass
class EntityRow:
    """How many findings of one entity there are, by decision."""

    entity: str
    total: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """A finding with the redacted text around it."""

    finding: Finding
    before: str
    shown: str
    after: str


@dataclass(frozen=True)
class PolicyRow:
    entity: str
    detectors: list[str]


def figures(workspace: Workspace) -> tuple[list[EntityRow], dict[str, int]]:
    """Per entity, and per decision over all."""
    rows: dict[str, EntityRow] = {}
    totals: dict[str, int] = dict.fromkeys(Decision.values, 0)
    counted = Finding.objects.filter(workspace=workspace).values_list("entity", "decision")
    for entity, decision, count in counted.annotate(count=Count("pk")).order_by():
        row = rows.setdefault(entity, EntityRow(entity))
        row.counts[decision] = count
        row.total += count
        totals[decision] += count
    return sorted(rows.values(), key=lambda row: -row.total), totals


def findings_of(workspace: Workspace) -> QuerySet[Finding]:
    found = Finding.objects.filter(workspace=workspace)
    return found.select_related("surrogate", "content", "decided_by").defer(
        "content__original", "content__text"
    )


def in_context(findings: Sequence[Finding]) -> list[Context]:
    """Each finding between the redacted text before and after it; one query for all of them."""
    siblings = _siblings(findings)
    return [_context(finding, siblings.get((finding.content_id, finding.path), ())) for finding in findings]


def of_contents(content_ids: Iterable[int]) -> dict[int, list[Finding]]:
    """Findings by content, in the order of the text."""
    found: dict[int, list[Finding]] = {}
    rows = Finding.objects.filter(content__in=list(content_ids)).select_related("surrogate")
    for finding in rows.order_by("content", "path", "start"):
        found.setdefault(finding.content_id, []).append(finding)
    return found


def policy() -> list[PolicyRow]:
    """What is looked for; every detector is on."""
    rows = {entity.value: PolicyRow(entity.value, []) for entity in Entity}
    for target in RECOGNISERS.targets:
        rows[target.entity.value].detectors.append(target.detector)
    return list(rows.values())


def _siblings(findings: Sequence[Finding]) -> dict[tuple[int, str], list[Finding]]:
    contents = {finding.content_id for finding in findings}
    rows = Finding.objects.filter(content__in=contents).exclude(decision=Decision.REJECTED)
    found: dict[tuple[int, str], list[Finding]] = {}
    for row in rows.select_related("surrogate").only(
        "content", "path", "start", "end", "decision", "surrogate"
    ):
        found.setdefault((row.content_id, row.path), []).append(row)
    return found


def _context(finding: Finding, hidden: Iterable[Finding]) -> Context:
    """Offsets count in the original; every surrogate before this place has moved it."""
    shift = sum(
        len(other.surrogate.text) - (other.end - other.start)
        for other in hidden
        if other.end <= finding.start
    )
    is_shown = finding.decision == Decision.REJECTED
    length = finding.end - finding.start if is_shown else len(finding.surrogate.text)
    start = finding.start + shift
    try:
        text = redaction.redacted_text_at(finding.content.body, finding.path)
    except KeyError:
        text = ""
    end = start + length
    return Context(
        finding=finding,
        before=("…" if start > AROUND else "") + text[max(0, start - AROUND) : start],
        shown=text[start:end] or finding.surrogate.text,
        after=text[end : end + AROUND] + ("…" if len(text) > end + AROUND else ""),
    )
