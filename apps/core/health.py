"""`/healthz` says what runs, `/readyz` whether all of it does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

STATE_FILE = "hub.json"
STALE_AFTER_S = 15


def state_path() -> Path:
    return Path(settings.RUN_DIR) / STATE_FILE


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok", "database": _database(), "processes": processes()})


def readyz(request: HttpRequest) -> JsonResponse:
    running = processes()
    missing = [name for name, process in running.items() if process["state"] != "running"]
    ready = bool(running) and not missing and _database() == "ok"
    return JsonResponse(
        {"ready": ready, "missing": missing, "processes": running}, status=200 if ready else 503
    )


def processes() -> dict[str, Any]:
    """What the supervisor last wrote; empty when none runs or its word is stale."""
    try:
        state = orjson.loads(state_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return state["processes"] if time.time() - state["at"] < STALE_AFTER_S else {}


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return "ok"
    except DatabaseError as error:
        return type(error).__name__
