from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from slmhub.formats import peek
from slmhub.formats.mapped import Mapping
from tests.formats.worlds import TAU, chat_row, lines_of

GOOD = chat_row()


def test_it_shows_the_first_calls_the_format_and_the_bad_lines() -> None:
    found = peek(io.BytesIO(lines_of(GOOD, b"{rubbish", GOOD)))
    assert (found.format, found.container, found.shape) == ("openai_chat", "plain", "lines")
    assert (len(found.first), found.rejects[0].line, found.rows_estimated) == (2, 2, 3)


def test_it_guesses_how_many_rows_a_long_file_holds(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines_of(*[GOOD] * 20_000))
    (tmp_path / "a.jsonl.gz").write_bytes(
        gzip.compress(lines_of(*[chat_row(id=str(n)) for n in range(20_000)]))
    )
    plain, packed = peek(tmp_path / "a.jsonl"), peek(tmp_path / "a.jsonl.gz")
    assert packed.container == "gzip"
    assert plain.rows_estimated is not None
    assert packed.rows_estimated is not None
    assert 10_000 < plain.rows_estimated < 40_000
    assert 5_000 < packed.rows_estimated < 80_000
    assert not plain.rejects
    assert len(plain.first) == 10


def test_it_offers_rows_of_an_unknown_shape_for_a_mapping() -> None:
    data = lines_of({"q": "Hi", "a": "Hello", "n": 1}, {"q": "Ho", "a": "Hello"})
    found = peek(io.BytesIO(data))
    assert (found.format, found.keys, found.unknown[1]) == ("", ["a", "n", "q"], {"q": "Ho", "a": "Hello"})
    assert found.rejects[0].reason.startswith("unknown shape")
    mapped = peek(io.BytesIO(data), mapping=Mapping(prompt="q", output="a"))
    assert [record.format for record in mapped.first] == ["mapped", "mapped"]


def test_it_looks_into_a_document_longer_than_it_reads() -> None:
    talk = [
        {"role": "user", "content": "Hi" * 500},
        {"role": "assistant", "content": "Hello", "usage": {"a": 1}},
    ]
    simulation = {"id": "s", "messages": talk, "reward_info": {}, "task_id": "t"}
    found = peek(io.BytesIO(json.dumps({"simulations": [simulation] * 2000}).encode()), most_bytes=500_000)
    assert (found.format, len(found.first), found.rejects) == ("tau2", 10, [])


def test_it_says_what_is_wrong_with_a_file_that_holds_no_rows() -> None:
    assert peek(io.BytesIO(b"PAR1....")).rejects[0].reason.startswith("this is a Parquet file")
    assert peek(io.BytesIO(b"")).rows_estimated == 0


@pytest.mark.skipif(not TAU.exists(), reason=f"{TAU} is not here")
def test_it_looks_at_a_real_corpus_quickly() -> None:
    found = peek(TAU)
    assert (found.format, len(found.first)) == ("openai_chat", 10)
    assert found.rows_estimated is not None
    assert 2_000 < found.rows_estimated < 12_000
