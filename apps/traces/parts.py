"""Of a span that came in parts: what must be known to complete it in any order."""

from __future__ import annotations

import msgspec

# (the span itself or a part of it, microseconds of its revision); a guess ranks below everything.
Rank = tuple[int, int]


class Parts(msgspec.Struct, omit_defaults=True):
    """What the columns do not say.

    `guessed`: the start is a guess. `timed`: the latency was reckoned from `ended_at`, not given.
    `inherits`: the session is a parent's. `kind`: what the span was said to be, before another was seen to
    wrap it. `times`: one per message (ns). `base`: the rank of most values; `ranks`: of those with another.
    """

    guessed: bool = False
    timed: bool = False
    inherits: bool = False
    kind: str = ""
    ended_at: str = ""
    times: list[int] = []
    base: Rank | None = None
    ranks: dict[str, Rank] = {}
