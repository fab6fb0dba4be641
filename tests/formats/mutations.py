"""Real examples, damaged at random places: what a fuzz test of a parser draws from."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "null", "{", "[1]", '{"a": 1}', '"', "assistant", "2026-01-01", "Z.Z", "\0"]),
    st.lists(st.integers(-9, 9) | st.text(max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["role", "content", "type", "id"]), st.none() | st.text(max_size=3)),
)


def mutated(data: st.DataObject, example: Any) -> Any:
    """A copy of `example` with one to three of its values replaced or removed."""
    whole = copy.deepcopy(example)
    for _ in range(data.draw(st.integers(1, 3))):
        places = [(holder, key) for holder, key in _places(whole)]
        if not places:
            return whole
        holder, key = data.draw(st.sampled_from(range(len(places))).map(places.__getitem__))
        if data.draw(st.integers(0, 4)) == 0:
            del holder[key]
        else:
            holder[key] = data.draw(_ODD)
    return whole


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in items:
        found.append((value, key))
        found += _places(inner)
    return found
