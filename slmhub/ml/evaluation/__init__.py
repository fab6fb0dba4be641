"""Scores of systems on held-out calls and the gate's verdict; pure Python, safe in the web process."""

from __future__ import annotations

from slmhub.ml.evaluation.gate import (
    Gate,
    GateError,
    Pair,
    Verdict,
    gate,
    rows_needed,
    tango_lower_bound,
    tango_z,
)
from slmhub.ml.evaluation.match import Comparison, ErrorKind, compare
from slmhub.ml.evaluation.metrics import FieldAccuracy, Shares, Slice, SystemMetrics
from slmhub.ml.evaluation.pipeline import EvaluationError, Report, evaluate

__all__ = [
    "Comparison",
    "ErrorKind",
    "EvaluationError",
    "FieldAccuracy",
    "Gate",
    "GateError",
    "Pair",
    "Report",
    "Shares",
    "Slice",
    "SystemMetrics",
    "Verdict",
    "compare",
    "evaluate",
    "gate",
    "rows_needed",
    "tango_lower_bound",
    "tango_z",
]
