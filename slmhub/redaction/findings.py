"""What a detector found, and how findings are merged and replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Entity(StrEnum):
    """What a value is. A surrogate reads `[EMAIL_3]`."""

    EMAIL = "EMAIL"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN = "IBAN"
    US_SSN = "US_SSN"
    PHONE = "PHONE"
    IP_ADDRESS = "IP_ADDRESS"
    CRYPTO = "CRYPTO"
    SECRET = "SECRET"  # noqa: S105 - the name of a kind, not a secret
    PAYMENT_ID = "PAYMENT_ID"


# (entity, value) -> what stands in the value's place
Surrogate = Callable[[str, str], str]


@dataclass(frozen=True)
class Finding:
    """`start` and `end` count characters of the text; `score` is 0 to 1."""

    start: int
    end: int
    entity: str
    score: float
    detector: str


@dataclass
class Numbering:
    """Surrogates numbered per entity in the order of first sight."""

    numbers: dict[str, dict[str, int]] = field(default_factory=dict)

    def __call__(self, entity: str, value: str) -> str:
        seen = self.numbers.setdefault(entity, {})
        return f"[{entity}_{seen.setdefault(value, len(seen) + 1)}]"


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted and free of overlap: overlapping findings become one, of the longest's kind, then the surest."""
    clusters: list[list[Finding]] = []
    end = 0
    for finding in sorted(findings, key=lambda found: (found.start, -found.end)):
        if clusters and finding.start < end:
            clusters[-1].append(finding)
        else:
            clusters.append([finding])
        end = max(end, finding.end)
    return [_union(cluster) for cluster in clusters]


def replace(text: str, findings: Iterable[Finding], surrogate: Surrogate) -> str:
    """The text with each finding's value replaced; findings may overlap."""
    pieces, position = [], 0
    for finding in merge(findings):
        value = text[finding.start : finding.end]
        pieces += [text[position : finding.start], surrogate(finding.entity, value)]
        position = finding.end
    return "".join([*pieces, text[position:]])


def _union(cluster: list[Finding]) -> Finding:
    kind = max(cluster, key=lambda found: (found.end - found.start, found.score))
    end = max(found.end for found in cluster)
    return Finding(cluster[0].start, end, kind.entity, kind.score, kind.detector)
