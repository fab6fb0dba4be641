"""Which tests stay together on one of the two workers, and which of these groups begin."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).resolve().parent
# They start processes, kill and measure: never two of them at a time, but for those that run for minutes.
SLOW = "slow"
MARKS = ("mark.slow", "mark.browser")
LONG = ("end_to_end/test_walkthrough.py", "upgrade/test_upgrade.py")
# One server for all of a folder's tests.
SHARING_A_SERVER = ("intake", "gateway")
# What takes longest begins, so that both workers end together.
FIRST = (LONG[0], SLOW, LONG[1], "ml/", "formats/test_memory.py", *SHARING_A_SERVER)


class Lanes(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


@cache
def lane_of_file(name: str) -> str:
    path = Path(name)
    if name in LONG:
        return name
    if any(mark in (TESTS / path).read_text() for mark in MARKS):
        return SLOW
    return path.parts[0] if path.parts[0] in SHARING_A_SERVER else name


def lane_of(nodeid: str) -> str:
    return lane_of_file(nodeid.partition("::")[0].removeprefix("tests/"))


def place_of(lane: str) -> int:
    return next((place for place, start in enumerate(FIRST) if lane.startswith(start)), len(FIRST))
