"""A hub of the version before is opened by this one: nothing is lost, every page is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.upgrade import old


@pytest.mark.slow
@pytest.mark.production
def test_a_home_of_the_version_before_opens_with_everything_in_it(tmp_path: Path) -> None:
    if not old.is_here():
        pytest.skip(f"commit {old.COMMIT} is not in this clone: git fetch --unshallow")
    command = [sys.executable, "-m", "tests.upgrade"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, cwd=old.ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
