from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apps.datasets.building import rows_of, static_prompt_of
from apps.datasets.candidates import Candidate
from apps.datasets.columns import Parameters
from apps.datasets.models import Split
from apps.datasets.splits import split_of

SESSIONS = st.lists(st.integers(1, 6), min_size=1, max_size=60)


def candidate(number: int, session: str) -> Candidate:
    messages = [{"role": "system", "content": "Find it."}, {"role": "user", "content": f"Order {number}"}]
    return Candidate(
        number, session, ((1,), None), messages, [], {"role": "assistant", "content": f'{{"n":{number}}}'}
    )


def candidates(sizes: list[int], seed: int) -> list[Candidate]:
    names = [f"{seed}-{index}" for index, size in enumerate(sizes) for _ in range(size)]
    return [candidate(number, name) for number, name in enumerate(names)]


@given(sizes=SESSIONS, seed=st.integers(0, 1000))
def test_a_session_is_never_in_two_splits_and_no_call_is_lost(sizes: list[int], seed: int) -> None:
    given_ = candidates(sizes, seed)
    left_out: Counter[str] = Counter()
    rows = rows_of(given_, static_prompt_of(given_), Parameters(seed=seed), left_out)
    pairs = {(row.candidate.session, row.split) for row in rows}
    assert len(pairs) == len(sizes)
    assert len(rows) + left_out.total() == sum(sizes)
    assert len({row.prompt for row in rows}) == len(rows)


@given(session=st.text(max_size=50), seed=st.integers())
def test_a_session_keeps_its_split_in_every_version(session: str, seed: int) -> None:
    assert split_of(session, Parameters(seed=seed)) == split_of(session, Parameters(seed=seed, longest=9))


def test_the_shares_are_about_60_10_30() -> None:
    counts = Counter(split_of(f"session-{n}", Parameters()) for n in range(4000))
    assert abs(counts[Split.TRAIN] - 2400) < 120
    assert abs(counts[Split.VALIDATION] - 400) < 80
    assert abs(counts[Split.TEST] - 1200) < 120
