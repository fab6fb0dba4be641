from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models.signals import post_migrate

from tests.lanes import Lanes, lane_of, place_of
from tests.template import put_copies
from tests.workers import TEMPLATE
from tests.world import World


def pytest_configure() -> None:
    # Every test makes nine people; a real hash would take most of the suite's time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    return Lanes(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place_of(lane_of(item.nodeid)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Playwright keeps its event loop running in this thread; who needs no browser must not find it there."""
    if "playwright" in getattr(item, "fixturenames", ()):
        return (yield)
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    return TEMPLATE in os.environ


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Before the databases are made: where a migrated one is at hand, they are copies of it."""
    if TEMPLATE in os.environ:
        put_copies(Path(os.environ[TEMPLATE]))


@pytest.fixture(scope="session", autouse=True)
def no_permissions_of_django() -> None:
    """Nobody asks for them, and a test with real transactions would write all of them anew when it ends."""
    from django.contrib.contenttypes.management import create_contenttypes

    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")


@pytest.fixture
def world(db: None) -> World:
    return World.build()
