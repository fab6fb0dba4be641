"""When customers write: busy weekday mornings, quiet nights and Sundays."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

DAYS = 30
_WEEKDAYS = (1.35, 1.2, 1.1, 1.05, 1.0, 0.5, 0.3)
_HOURS = (1, 1, 1, 1, 1, 2, 5, 14, 32, 46, 50, 44, 34, 36, 42, 40, 34, 27, 22, 18, 14, 9, 5, 2)
# No session outlasts this, so that none reaches beyond the log's end.
_LONGEST_SESSION = timedelta(hours=3)


def session_start(rng: random.Random, until: datetime) -> datetime:
    """A moment in the `DAYS` days before `until`, early enough for the session to end by then."""
    first, last = until - timedelta(days=DAYS), until - _LONGEST_SESSION
    days = [first + timedelta(days=offset) for offset in range(DAYS + 1)]
    while True:
        day = rng.choices(days, weights=[_WEEKDAYS[d.weekday()] for d in days])[0]
        hour = rng.choices(range(24), weights=_HOURS)[0]
        start = day.replace(hour=hour, minute=rng.randrange(60), second=rng.randrange(60), microsecond=0)
        if first <= start <= last:
            return start
