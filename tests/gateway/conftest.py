from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.gateway.desk import Desk
from tests.gateway.specialists import Upstream
from tests.servers import demo_teacher, web
from tests.world import World


@pytest.fixture(scope="package")
def teacher() -> Iterator[str]:
    with demo_teacher() as url:
        yield url


@pytest.fixture(scope="package")
def specialist_server() -> Upstream:
    return Upstream()


@pytest.fixture
def specialists(specialist_server: Upstream) -> Iterator[Upstream]:
    specialist_server.asked.clear()
    specialist_server.headers.clear()
    specialist_server.respond = specialist_server.lookup
    specialist_server.start()
    yield specialist_server
    specialist_server.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A teacher that answers what the test tells it to."""
    server = Upstream()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def address(django_db_setup: None, django_db_blocker: Any, specialist_server: Upstream) -> Iterator[str]:
    with django_db_blocker.unblock(), web(HUB_SPECIALIST_URL=specialist_server.url) as (address, _):
        yield address


@pytest.fixture
def spool() -> Iterator[Path]:
    folder = Path(settings.SPOOL_DIR)
    yield folder
    for path in folder.iterdir():
        path.unlink()


@pytest.fixture
def desk(world: World, address: str) -> Iterator[Desk]:
    yield Desk.build(world, address)
    folder = Path(settings.SPOOL_DIR)
    for path in folder.glob("*.offset"):
        # The server goes on writing to its file: what this test has left there is read already, or never.
        path.write_text(str(path.with_suffix(".spool").stat().st_size))
