"""The steps of the support desk, one module each."""

from __future__ import annotations

from slmhub.demo.steps.callback import CALLBACK
from slmhub.demo.steps.extract import EXTRACT
from slmhub.demo.steps.intent import INTENT
from slmhub.demo.steps.lookup import LOOKUP
from slmhub.demo.steps.refund import REFUND
from slmhub.demo.steps.reply import REPLY
from slmhub.demo.steps.status import STATUS
from slmhub.demo.steps.step import Step
from slmhub.demo.steps.triage import TRIAGE

MACHINE_STEPS = (TRIAGE, EXTRACT, REFUND, CALLBACK, LOOKUP, INTENT, STATUS)
STEPS = (*MACHINE_STEPS, REPLY)

__all__ = [
    "CALLBACK",
    "EXTRACT",
    "INTENT",
    "LOOKUP",
    "MACHINE_STEPS",
    "REFUND",
    "REPLY",
    "STATUS",
    "STEPS",
    "TRIAGE",
    "Step",
]
