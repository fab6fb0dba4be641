"""Sensitive values in text and in JSON: found, merged, replaced by surrogates."""

from __future__ import annotations

from slmhub.redaction.findings import Entity, Finding, Numbering, Surrogate, merge, replace
from slmhub.redaction.json_safe import PayloadFinding, TooDeepError, apply, scan, scan_all, with_names
from slmhub.redaction.paths import redacted_text_at, text_at
from slmhub.redaction.recognisers.recogniser import Recogniser, Target
from slmhub.redaction.recognisers.registry import RECOGNISERS, RecogniserSet, detect, redact

__all__ = [
    "RECOGNISERS",
    "Entity",
    "Finding",
    "Numbering",
    "PayloadFinding",
    "Recogniser",
    "RecogniserSet",
    "Surrogate",
    "Target",
    "TooDeepError",
    "apply",
    "detect",
    "merge",
    "redact",
    "redacted_text_at",
    "replace",
    "scan",
    "scan_all",
    "text_at",
    "with_names",
]
