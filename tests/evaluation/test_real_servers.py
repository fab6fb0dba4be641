"""A real specialist, its real server and the demo's teacher."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.evaluation import services
from apps.evaluation.models import EvaluationRun, System
from apps.evaluation.report import TeacherAnswers
from apps.jobs.models import Job, State
from apps.registry.services import set_teacher
from apps.training import services as training
from apps.training.models import Specialist
from slmhub.ml.training.spec import read_recipe
from tests.profile import free_port
from tests.training.builders import SHORT, base_at, frozen_dataset
from tests.world import World

ROWS = 8


@contextlib.contextmanager
def serving(module: str, *arguments: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", module, "--port", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/healthz")
            yield url
        finally:
            process.kill()


def _wait_for(url: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} did not come up"
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_it_asks_a_trained_specialist_its_base_and_the_demo_teacher(
    world: World, tiny_weights: Path, folders: Path, settings: Any
) -> None:
    dataset = frozen_dataset(world, test=ROWS)
    training.start(
        dataset=dataset,
        base=base_at(tiny_weights),
        actor=world.engineer,
        recipe=read_recipe({**SHORT, "steps": 5}),
    )
    assert world.run_jobs() == [State.SUCCEEDED], Job.objects.get().error
    with (
        serving("slmhub.ml.serving", "--models", str(settings.MODELS_DIR)) as specialists,
        serving("slmhub.demo.teacher", "--latency", "0") as teacher,
    ):
        settings.SPECIALIST_SERVER_URL = specialists
        set_teacher(agent=world.agent, name="Demo", base_url=f"{teacher}/v1", simulated=True)
        services.start(specialist=Specialist.objects.get(), actor=world.engineer)
        assert world.run_jobs() == [State.SUCCEEDED], Job.objects.latest("pk").error
    run = EvaluationRun.objects.get()
    assert run.teacher_simulated
    assert run.verdict
    assert run.report.teacher == TeacherAnswers(asked=ROWS, recorded=0)
    for system in (System.SPECIALIST, System.BASE):
        answers = run.answers.filter(system=system)
        assert answers.count() == ROWS
        assert all(answer.message and answer.confidence is not None for answer in answers), system
    page = world.client(world.engineer).get(world.url("evaluation:detail", run.pk))
    assert b"Simulated teacher" in page.content
