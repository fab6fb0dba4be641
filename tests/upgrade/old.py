"""The version before: its checkout, and a home that it fills."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.end_to_end.hub import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
# The last one before the rooms were rearranged.
COMMIT = "0bb40d4"
FILL = Path(__file__).with_name("fill.py")
TAU = ROOT.parent / "shared" / "data" / "traces"
TAU_SAMPLE = TAU / "tau_openai_chat.sample30.jsonl"
TAU_WHOLE = TAU / "tau_openai_chat.jsonl.gz"


def is_here() -> bool:
    """A shallow clone has no version before."""
    command = ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


@contextlib.contextmanager
def checkout() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hub-before-") as folder:
        archive = subprocess.Popen(["git", "archive", COMMIT], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "x", "-C", folder], stdin=archive.stdout, check=True)
        assert archive.wait() == 0
        yield Path(folder)


def fill(home: Path, *, tau: Sequence[Path] = ()) -> None:
    """A home as that version leaves it; the databases are those of the environment, as for every hub."""
    home.mkdir(parents=True, exist_ok=True)
    with checkout() as tree:
        environment = {
            **os.environ,
            "HUB_HOME": str(home),
            "PORT": str(free_ports(3)),
            "PYTHONPATH": str(tree),
            "HUB_LOG_LEVEL": "CRITICAL",
        }
        command = [sys.executable, str(FILL), "--root", str(ROOT), "--tau", *map(str, tau)]
        subprocess.run(command, cwd=tree, env=environment, check=True)


# Where rows of that version name files of their home.
PATHS = (("traces_upload", "path"), ("traces_upload", "rejects_path"), ("training_specialist", "path"))


def settle(home: Path) -> None:
    """Makes a copy of a filled home on SQLite name its own files, not those of the home it comes from."""
    notes = home / "filled.json"
    came_from = json.loads(notes.read_text())["home"]
    if came_from == str(home):
        return
    with contextlib.closing(sqlite3.connect(home / "hub.sqlite3")) as database, database:
        for table, column in PATHS:
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (came_from, str(home)))
    for path in [*home.glob("models/*/manifest.json"), notes]:
        path.write_text(path.read_text().replace(came_from, str(home)))
    before = home / "before.jsonl.gz"
    before.write_bytes(
        gzip.compress(gzip.decompress(before.read_bytes()).replace(came_from.encode(), str(home).encode()), 1)
    )
