from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.intake.sender import Sender, serving
from tests.world import World


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("intake")


@pytest.fixture(scope="package")
def address(django_db_setup: None, django_db_blocker: Any, home: Path) -> Iterator[str]:
    with django_db_blocker.unblock(), serving(home) as (address, _):
        yield address


@pytest.fixture
def sender(world: World, address: str, home: Path) -> Iterator[Sender]:
    yield Sender.build(world, address, home)
    for path in (home / "spool").glob("*.spool"):
        # The server goes on writing to its file: what this test has left there is read already, or never.
        path.with_suffix(".offset").write_text(str(path.stat().st_size))
