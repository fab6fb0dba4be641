"""What narrows the list of jobs."""

from __future__ import annotations

from apps.core.facets import Choice
from apps.jobs.models import Queue, State

JOB_FACETS = (
    Choice("state", "State", State.choices, every="Any"),
    Choice("queue", "Queue", Queue.choices, every="Any"),
)
