"""A hub of the version before is opened by this one: nothing is lost, every page is there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.upgrade import old

pytestmark = pytest.mark.slow
# What the suite runs with itself; the hub of this test has databases of its own.
NOT_HANDED_ON = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL"}


@pytest.mark.parametrize("options", [[], ["--production"]], ids=["embedded", "production"])
def test_a_home_of_the_version_before_opens_with_everything_in_it(options: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    command = [sys.executable, "-m", "tests.upgrade", *options]
    done = subprocess.run(command, cwd=old.ROOT, env=environment, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-4000:]
    if "NOT tested" in done.stdout:
        pytest.skip(done.stdout.strip())
