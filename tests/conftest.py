from __future__ import annotations

import pytest
from django.conf import settings

from tests.world import World


def pytest_configure() -> None:
    # Every test makes nine people; a real hash would take most of the suite's time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None) -> World:
    return World.build()
