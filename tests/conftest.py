from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings

from tests.template import put_copies
from tests.workers import TEMPLATE
from tests.world import World

WALKTHROUGH = "end_to_end/test_walkthrough.py"
# One server for all of a folder's tests.
SHARING_A_SERVER = {"intake", "gateway"}
# What takes longest begins, so that both workers end together.
FIRST = (WALKTHROUGH, "slow", "upgrade", "ml/", "formats/test_memory.py", "intake")


def pytest_configure() -> None:
    # Every test makes nine people; a real hash would take most of the suite's time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where two workers share the tests: what stays on one of them, and in which order they take it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: place_of(group_of(item)))


def group_of(item: pytest.Item) -> str:
    """Of the slow ones, which start processes, kill and measure, never two run at a time."""
    path = item.path.relative_to(Path(__file__).parent)
    if path.as_posix() == WALKTHROUGH or path.parts[0] == "upgrade":
        return path.as_posix()
    if item.get_closest_marker("slow") or item.get_closest_marker("browser"):
        return "slow"
    return path.parts[0] if path.parts[0] in SHARING_A_SERVER else path.as_posix()


def place_of(group: str) -> int:
    return next((place for place, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    return TEMPLATE in os.environ


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Before the databases are made: where a migrated one is at hand, they are copies of it."""
    if TEMPLATE in os.environ:
        put_copies(Path(os.environ[TEMPLATE]))


@pytest.fixture
def world(db: None) -> World:
    return World.build()
