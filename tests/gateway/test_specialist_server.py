"""The gateway before the real specialist server, with the starter model under a specialist's name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from apps.accounts import revision
from apps.rollouts.models import Route
from tests.gateway.desk import ASK, Desk
from tests.profile import free_port
from tests.servers import answers, end, eventually, web
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.slow]


def serve(folder: Path, name: str) -> dict[str, Any]:
    manifest = {"kind": "base", "path": str(settings.STARTER_WEIGHTS), "sha256": None, "static_prompt": None}
    (folder / name).mkdir(parents=True)
    (folder / name / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def test_a_real_models_answer_reaches_the_caller(
    world: World, teacher: str, tmp_path: Path, spool: Path
) -> None:
    if not (settings.STARTER_WEIGHTS / "model.safetensors").exists():
        pytest.skip("the starter's weights are missing: run make starter")
    port = str(free_port())
    command = [sys.executable, "-m", "slmhub.ml.serving", "--models", str(tmp_path), "--port", port]
    server = subprocess.Popen(command, start_new_session=True, text=True)
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), within=40)
        with web(HUB_SPECIALIST_URL=f"http://127.0.0.1:{port}") as (address, _):
            desk = Desk.build(world, address)
            desk.teacher(teacher)
            body = {**ASK, "max_tokens": 8}
            rollout = desk.route(threshold=0.0, body=body)
            name = rollout.specialist.served_name

            assert desk.ask(body).headers["x-slmhub-fallback"] == "specialist answered 404"
            serve(tmp_path, name)
            # An untrained model does not do what the task does.
            assert desk.ask(body).headers["x-slmhub-served-by"] == "teacher"

            with transaction.atomic():
                Route.objects.update(actions=[])
                revision.touch()
            answer = eventually(
                lambda: (got := desk.ask(body)).headers["x-slmhub-served-by"] == name and got,
                within=5,
                every=0.3,
            )
            assert answer.json()["choices"][0]["message"]["role"] == "assistant"
            assert 0 <= answer.json()["slmhub"]["confidence"] <= 1
    finally:
        end(server)
