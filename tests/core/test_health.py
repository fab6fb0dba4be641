from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.test import Client

from apps.core.health import STALE_AFTER_S, state_path

RUNNING = {"web": {"state": "running", "pid": 1, "restarts": 0}}
RESTARTING = {**RUNNING, "keeper": {"state": "restarting", "pid": None, "restarts": 1}}


@pytest.fixture
def state() -> Iterator[Any]:
    def write(processes: dict[str, Any], *, age: float = 0) -> None:
        state_path().write_bytes(orjson.dumps({"at": time.time() - age, "processes": processes}))

    yield write
    state_path().unlink(missing_ok=True)


def test_it_is_ready_when_everything_runs(db: None, state: Any) -> None:
    state(RUNNING)

    assert Client().get("/readyz").status_code == 200
    assert Client().get("/healthz").json()["processes"] == RUNNING


def test_it_is_not_ready_while_something_restarts(db: None, state: Any) -> None:
    state(RESTARTING)

    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["keeper"]


def test_it_does_not_believe_an_old_word(db: None, state: Any) -> None:
    state(RUNNING, age=STALE_AFTER_S + 1)

    assert Client().get("/readyz").status_code == 503


def test_it_lives_without_a_supervisor(db: None, state: Any) -> None:
    response = Client().get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "processes": {}}


def test_a_damaged_word_is_no_word(db: None, state: Any) -> None:
    state_path().write_text("{")

    assert Client().get("/healthz").json()["processes"] == {}
