"""What the JSON column of a conversion holds."""

from __future__ import annotations

import msgspec


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What was thought of a task when a drive chose: whether it is a candidate, and why (not), in words."""

    task: str
    calls: int
    candidate: bool
    why: str
