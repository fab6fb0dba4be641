from __future__ import annotations

from typing import Any

import orjson
import pytest

from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.storable import DEEPEST, storable, storable_json, storable_text


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else "end"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\0b", "a\ufffdb"),
        ("half \ud83d pair", "half ? pair"),
        ({"k\0": ["\0", 1, None, True, 0.5]}, {"k\ufffd": ["\ufffd", 1, None, True, 0.5]}),
        (2**70, str(2**70)),
        ({1: (2, b"x")}, {"1": [2, "b'x'"]}),
    ],
)
def test_what_no_database_takes_is_replaced(given: Any, kept: Any) -> None:
    assert storable_json(given) == kept
    assert orjson.loads(orjson.dumps(storable_json(given))) == kept


@pytest.mark.parametrize("value", [{"a": ["ä", 1]}, "plain", r"no NUL: \u0000", nested(DEEPEST)])
def test_what_can_be_stored_stays_as_it_is(value: Any) -> None:
    assert storable(value) == value


def test_a_value_without_any_nul_is_not_even_copied() -> None:
    value = {"a": ["b"]}
    assert storable(value) is value


def test_what_nests_too_deeply_becomes_a_remark() -> None:
    assert f"(nested deeper than {DEEPEST} levels)" in str(storable(nested(500)))


def test_a_text_is_cut_of_nothing_else() -> None:
    assert storable_text("“ünïcode” 🎉\n") == "“ünïcode” 🎉\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "is not JSON: unexpected end of data at character 1"),
        ("{", "is not JSON: unexpected end of data at character 1"),
        (b'{"a": "\xff"}', "is not JSON: byte 7 is 0xff, which is not UTF-8"),
        (b'{"a":\0 1}', "is not JSON: it holds NUL bytes"),
        ('"\ud83d"', "is not JSON: str is not valid UTF-8: surrogates not allowed at character 0"),
        (b"[" * 100_000, "is not JSON: "),
        (b"NaN", "is not JSON: "),
    ],
)
def test_it_says_why_a_text_is_no_json(text: bytes | str, reason: str) -> None:
    with pytest.raises(NotJsonError) as error:
        decode(text)
    assert str(error.value).startswith(reason)
