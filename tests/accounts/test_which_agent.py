from __future__ import annotations

import pytest

from apps.accounts.which_agent import ForeignAgentError, NoSuchAgentError, chosen

TWO = {"support": 1, "billing": 2}


def test_the_named_one_stands_before_the_only_one() -> None:
    assert chosen(TWO, "billing", bound=False) == 2
    assert chosen({"support": 1}, "", bound=False) == 1
    assert chosen({"support": 1}, "support", bound=True) == 1


@pytest.mark.parametrize("agents", [{}, TWO])
def test_nothing_is_guessed_among_none_or_several(agents: dict[str, int]) -> None:
    assert chosen(agents, "", bound=False) is None


def test_a_key_of_one_agent_speaks_for_no_other() -> None:
    with pytest.raises(ForeignAgentError, match="belongs to the agent 'support'"):
        chosen({"support": 1}, "billing", bound=True)


@pytest.mark.parametrize("agents", [{}, {"support": 1}, TWO])
def test_a_name_that_nobody_has_is_refused(agents: dict[str, int]) -> None:
    with pytest.raises(NoSuchAgentError):
        chosen(agents, "nobody", bound=False)
