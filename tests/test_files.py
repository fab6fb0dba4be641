from __future__ import annotations

import threading
from pathlib import Path

import pytest

from slmhub.files import write_atomically


@pytest.mark.parametrize("synced", [True, False])
def test_a_reader_sees_the_old_content_or_the_new_one_and_nothing_between(
    tmp_path: Path, synced: bool
) -> None:
    path, texts, seen = tmp_path / "state", {"a" * 100_000, "b" * 100_000}, set()
    write_atomically(path, "a" * 100_000, synced=synced)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in texts:
            write_atomically(path, text, synced=synced)
    stop.set()
    reader.join()
    assert seen <= texts
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_it_makes_the_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "state", "x")
    assert (tmp_path / "new" / "state").read_text() == "x"
