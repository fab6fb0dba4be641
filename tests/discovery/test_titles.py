from __future__ import annotations

from apps.discovery.titles import readable
from slmhub.ml.clustering.cells import Cell


def titles(*pairs: tuple[Cell, str]) -> list[str]:
    return readable([cell for cell, _ in pairs], [found for _, found in pairs])


def test_what_is_usual_is_not_said() -> None:
    tool = Cell("t", "s", "user", "tool:get_order_details", ("order_id",))
    answer = Cell("t", "s", "user", "json:city,name", ("city", "name"))
    found = titles(
        (tool, "Get order details (order_id) after user"), (answer, "JSON answer (city, name) after user")
    )
    assert found == ["Get order details", "Fill in city, name"]


def test_the_step_before_is_said_when_it_is_not_the_user() -> None:
    again = Cell("t", "s", "tool:look_up", "tool:look_up", ("id",))
    after = Cell("t", "s", "tool:look_up", "respond")
    pooled = Cell("t", "s", "*", "tool:look_up", ("id",))
    said = titles((again, "…"), (after, "Reply after look up: Where is …?"), (pooled, "…"))
    assert said == ["Look up, once more", "Reply, after look up: Where is …?", "Look up, after other steps"]


def test_two_tasks_never_share_a_short_title() -> None:
    without = Cell("t", "s", "user", "tool:think")
    having = Cell("t", "s", "user", "tool:think", ("thought",))
    pairs = ((without, "Think after user"), (having, "Think (thought) after user"))
    assert titles(*pairs) == ["Think after user", "Think (thought) after user"]
