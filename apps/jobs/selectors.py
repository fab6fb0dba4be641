"""Reading jobs for pages."""

from __future__ import annotations

import json
from typing import Any

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.jobs.models import Job, JobLine, State

MOST_LINES = 300
LONGEST_VALUE = 4000


def steering(job: Job, membership: Membership) -> dict[str, Any]:
    """What this person may do with the job now, by the right that stands on it."""
    right = Right(job.right)
    may_steer = membership.may(right)
    return {
        "steered_with": right.label,
        "may_cancel": may_steer and not job.is_over and job.cancel_requested_at is None,
        "may_retry": may_steer and job.state in {State.FAILED, State.CANCELLED},
    }


def last_lines(job: Job) -> tuple[list[JobLine], bool]:
    """The newest lines of the log, in order, and whether older ones were left out."""
    newest = list(job.lines.order_by("-pk")[: MOST_LINES + 1])
    return newest[MOST_LINES - 1 :: -1] if len(newest) > MOST_LINES else newest[::-1], len(
        newest
    ) > MOST_LINES


def result_facts(job: Job) -> list[tuple[str, str]]:
    """The result as words and values, bounded."""
    return [(key.replace("_", " ").capitalize(), _text(value)) for key, value in job.result.items()]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
