from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slmhub import environment as env

ROOT = Path(__file__).resolve().parents[2]


def test_a_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    first = env.kept_secret(path)

    assert len(first) >= 40
    assert env.kept_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    imports = "import sys, pathlib\nfrom slmhub.environment import kept_secret\n"
    code = imports + "print(kept_secret(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "secret")]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    said = {process.communicate()[0] for process in started}

    assert len(said) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "secret"]


def test_a_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("HUB_X_FILE", str(tmp_path / "key"))

    assert env.text("HUB_X") == "from a file"


@pytest.mark.parametrize(("given", "expected"), [("yes", True), ("OFF", False), ("", True), ("1", True)])
def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, given: str, expected: bool) -> None:
    monkeypatch.setenv("HUB_X", given)

    assert env.flag("HUB_X", default=True) is expected


def test_nonsense_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUB_X", "perhaps")

    with pytest.raises(env.BadSettingError, match="HUB_X must be yes or no"):
        env.flag("HUB_X", default=False)
    with pytest.raises(env.BadSettingError, match="HUB_X must be a whole number"):
        env.whole("HUB_X", 1)
    with pytest.raises(env.BadSettingError, match="postgresql://"):
        env.database("mysql://x/y", tmp_path / "db")


def test_an_address_of_postgresql_is_taken_apart(tmp_path: Path) -> None:
    found = env.database("postgresql://me:p%40ss@db:5433/hub", tmp_path / "db")

    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "me",
        "p@ss",
        "db",
        "5433",
        "hub",
    )
