"""Constant memory, measured in a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.formats.worlds import chat_row

_ROWS = 10_000
_MOST_KIB = 150 * 1024
# The peak that getrusage gives begins with the parent's.
_PROGRAM = r"""
import re, sys
from slmhub.formats import Record, read
print(sum(isinstance(item, Record) for item in read(sys.argv[1])))
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


def rows() -> Iterator[bytes]:
    noise = random.Random(5)
    for number in range(_ROWS):
        yield json.dumps(chat_row(id=f"c{number}", note=noise.randbytes(15_000).hex())).encode()


def write_list(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"[")
        for number, row in enumerate(rows()):
            file.write((b",\n" if number else b"") + row)
        file.write(b"]")


def write_document(path: Path) -> None:
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yo " * 10_000, "usage": {"n": 1}},
    ]
    simulation = {"task_id": "t", "reward_info": {}, "messages": talk}
    with path.open("w") as file:
        file.write('{"info": {}, "simulations": [')
        for number in range(_ROWS):
            file.write((", " if number else "") + json.dumps({"id": f"s{number}", **simulation}))
        file.write("]}")


def write_packed_lines(path: Path) -> None:
    with zstandard.open(path, "wb") as file:
        for row in rows():
            file.write(row + b"\n")


@pytest.mark.parametrize("write", [write_list, write_document, write_packed_lines])
def test_it_reads_300_megabytes_in_constant_memory(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "calls"
    write(path)
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    read_rows, peak_kib = map(int, ran.stdout.split())
    assert read_rows == _ROWS
    assert peak_kib < _MOST_KIB
