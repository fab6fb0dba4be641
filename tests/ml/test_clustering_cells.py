from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slmhub.ml.clustering.cells import Cell, cell_key, cell_of, gather, parse_cell

ROOT = Path(__file__).parents[2]


def key(action: str, *keys: str, previous: str = "user", template: str = "t") -> str:
    return cell_key(template=template, toolset="s", previous=previous, action=action, keys=keys)


@pytest.mark.parametrize(
    "cell",
    [
        Cell("t", "s", "user", "respond"),
        Cell("t", "s", "tool:find", "tool:cancel", ("id", "reason")),
        Cell("a|b", "s", "start", "json:city,day", ("city", "day")),
    ],
)
def test_it_reads_back_the_key_that_it_wrote(cell: Cell) -> None:
    assert parse_cell(cell.key) == cell


def test_it_takes_a_foreign_key_for_an_action() -> None:
    assert parse_cell("my own kind").action == "my own kind"


def test_it_makes_the_same_cell_of_calls_that_differ_only_in_values() -> None:
    def call(order: str) -> str:
        messages = [{"role": "system", "content": "Help."}, {"role": "user", "content": f"Cancel {order}"}]
        function = {"name": "cancel", "arguments": f'{{"id": "{order}"}}'}
        output = {"role": "assistant", "content": None, "tool_calls": [{"id": order, "function": function}]}
        return cell_of(messages, [{"type": "function", "function": {"name": "cancel"}}], output)

    assert call("W1") == call("W22")
    assert parse_cell(call("W1")).action == "tool:cancel"
    assert parse_cell(call("W1")).keys == ("id",)


def test_it_keeps_large_cells_apart() -> None:
    groups = gather([key("tool:a", "x")] * 8 + [key("tool:a", "y")] * 8, min_size=8)
    assert [len(group.calls) for group in groups] == [8, 8]


def test_it_lets_small_cells_of_one_action_join_its_largest_cell() -> None:
    keys = [key("tool:a", "x")] * 9 + [key("tool:a", "x", previous="tool:b")] * 3
    (group,) = gather(keys, min_size=8)
    assert group.calls == tuple(range(9))
    assert group.joined == (9, 10, 11)


def test_it_pools_small_cells_of_one_action() -> None:
    keys = [key("tool:a", "x", previous=f"tool:{index % 4}") for index in range(12)]
    (group,) = gather(keys, min_size=8)
    assert group.cell.previous == "*"
    assert len(group.calls) == 12


def test_it_drops_small_cells_that_are_alone_or_free_text() -> None:
    keys = [key("respond")] * 9 + [key("respond", previous="tool:b")] * 3 + [key("tool:z")] * 3
    (group,) = gather(keys, min_size=8)
    assert (len(group.calls), group.joined) == (9, ())


def test_it_never_joins_calls_of_another_prompt() -> None:
    keys = [key("tool:a", "x")] * 9 + [key("tool:a", "x", template="other")] * 3
    (group,) = gather(keys, min_size=8)
    assert group.joined == ()


def test_its_keys_need_no_numeric_library() -> None:
    heavy = "{'torch', 'numpy', 'django'} & set(sys.modules)"
    code = f"import sys, slmhub.ml.clustering.cells; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
