"""Sensitive values in text and in JSON: found, merged, replaced by surrogates."""

from __future__ import annotations

from slmhub.redaction.detect import detect, redact
from slmhub.redaction.detectors import DETECTORS, Detector
from slmhub.redaction.findings import Entity, Finding, Numbering, Surrogate, merge, replace
from slmhub.redaction.json_safe import PayloadFinding, TooDeepError, apply, scan, text_at

__all__ = [
    "DETECTORS",
    "Detector",
    "Entity",
    "Finding",
    "Numbering",
    "PayloadFinding",
    "Surrogate",
    "TooDeepError",
    "apply",
    "detect",
    "merge",
    "redact",
    "replace",
    "scan",
    "text_at",
]
