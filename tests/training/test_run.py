"""Real runs: the job runner, the child process, a tiny model."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from apps.datasets.models import DatasetVersion
from apps.events.models import Event
from apps.jobs import services as jobs
from apps.jobs.models import Job, JobLine, State
from apps.jobs.runner import JobContext, LeaseLostError
from apps.training import services
from apps.training.events import TrainingCancelled, TrainingFailed, TrainingFinished, TrainingProgressed
from apps.training.folder import DamagedWeightsError, folder_of, verified_manifest
from apps.training.models import ProgressPoint, Specialist, TrainingRun
from apps.training.tail import ProgressTail
from slmhub.ml.files import sha256_of_file, sha256_of_weights
from slmhub.ml.training.records import Manifest
from slmhub.ml.training.run_folder import RunFolder
from slmhub.ml.training.spec import read_recipe
from tests.training.builders import SHORT, base_at, frozen_dataset
from tests.world import World

MANIFEST = Manifest(path="weights", sha256="a" * 64)
LINE = {"step": 1, "total_steps": 3, "loss": 2.0, "eval_loss": None, "eval_exact": None, "learning_rate": 0.1}


def queued_run(world: World, weights: Path, **recipe: Any) -> TrainingRun:
    dataset: DatasetVersion = frozen_dataset(world)
    return services.start(
        dataset=dataset,
        base=base_at(weights),
        actor=world.engineer,
        recipe=read_recipe({**SHORT, **recipe}),
    )


def trainer_of(run: TrainingRun) -> psutil.Process | None:
    spec = str(folder_of(run).spec)
    return next((p for p in psutil.Process().children(recursive=True) if spec in p.cmdline()), None)


def meanwhile(act: Any) -> threading.Thread:
    def body() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def wait_until(ready: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases="__all__")
class TestRealRun:
    def test_it_trains_and_registers_the_specialist(
        self, world: World, tiny_weights: Path, folders: Path
    ) -> None:
        run = queued_run(world, tiny_weights)
        assert world.run_jobs() == [State.SUCCEEDED], Job.objects.get().error
        specialist = Specialist.objects.get(run=run)
        assert specialist.sha256 == sha256_of_weights(folder_of(run).weights)
        assert specialist.served_name == f"specialist-{specialist.pk}@{specialist.sha256[:12]}"
        served = json.loads((folders / "models" / specialist.served_name / "manifest.json").read_text())
        assert (served["kind"], served["sha256"], served["path"]) == (
            "specialist",
            specialist.sha256,
            specialist.path,
        )
        points = ProgressPoint.objects.filter(run=run).order_by("step")
        assert points.last().step == 30
        assert points.filter(eval_loss__isnull=False).exists()
        kinds = list(Event.objects.order_by("number").values_list("type", flat=True))
        assert TrainingProgressed.type in kinds
        assert kinds.count(TrainingFinished.type) == 1
        page = world.client(world.engineer).get(world.url("training:detail", run.pk))
        assert specialist.served_name.encode() in page.content
        assert world.url("evaluation:start", specialist.pk).encode() in page.content

    def test_it_goes_on_after_its_trainer_was_killed(self, world: World, tiny_weights: Path) -> None:
        run = queued_run(world, tiny_weights, steps=200)

        def kill() -> None:
            checkpoints = folder_of(run).checkpoints
            wait_until(lambda: any(checkpoints.glob("*/COMPLETE.json")))
            trainer = trainer_of(run)
            assert trainer is not None
            trainer.kill()

        killer = meanwhile(kill)
        assert world.run_jobs() == [State.SUCCEEDED], Job.objects.get().error
        killer.join()
        assert JobLine.objects.filter(text__contains="was killed").exists()
        steps = list(ProgressPoint.objects.filter(run=run).order_by("step").values_list("step", flat=True))
        assert len(steps) == len(set(steps))
        assert steps[-1] == 200
        assert Specialist.objects.filter(run=run).count() == 1

    def test_it_goes_on_in_a_second_attempt(self, world: World, tiny_weights: Path) -> None:
        run = queued_run(world, tiny_weights, steps=200)

        def cancel() -> None:
            checkpoints = folder_of(run).checkpoints
            wait_until(lambda: any(checkpoints.glob("*/COMPLETE.json")))
            wait_until(lambda: ProgressPoint.objects.filter(run=run).exists())
            jobs.cancel(job=Job.objects.get(), actor=world.engineer)

        canceller = meanwhile(cancel)
        assert world.run_jobs() == [State.CANCELLED]
        canceller.join()
        assert trainer_of(run) is None
        assert not Specialist.objects.exists()
        assert Event.objects.filter(type=TrainingCancelled.type).count() == 1
        reached = ProgressPoint.objects.filter(run=run).order_by("step").last().step
        assert reached < 200
        jobs.retry(job=Job.objects.get(), actor=world.engineer)
        assert world.run_jobs() == [State.SUCCEEDED], Job.objects.get().error
        lines = [json.loads(line) for line in folder_of(run).progress.read_text().splitlines()]
        # Steps before the checkpoint keep the figures of the first attempt: they were not trained again.
        assert lines[0]["elapsed_s"] < lines[-1]["elapsed_s"]
        assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)

    def test_it_tells_why_the_trainer_refused_its_input(self, world: World, tiny_weights: Path) -> None:
        queued_run(world, tiny_weights)
        TrainingRun.objects.update(recipe={**SHORT, "rank": 100_000})
        assert world.run_jobs() == [State.FAILED]
        assert "rank must be a number from 1 to 512" in Job.objects.get().error
        assert Event.objects.filter(type=TrainingFailed.type).count() == 1

    def test_it_waits_for_another_attempt_in_the_same_folder(self, world: World, tiny_weights: Path) -> None:
        import fcntl

        run = queued_run(world, tiny_weights)
        folder_of(run).path.mkdir(parents=True)
        with folder_of(run).lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            canceller = meanwhile(lambda: (time.sleep(1), jobs.cancel(job=Job.objects.get(), actor=None)))
            assert world.run_jobs() == [State.CANCELLED]
            canceller.join()
        assert not folder_of(run).spec.exists()


@pytest.mark.django_db
class TestTail:
    def tail(self, world: World, folder: Path) -> tuple[ProgressTail, TrainingRun, Path]:
        run = queued_run(world, self.weights(folder))
        job = Job.claim(run.job_id)
        assert job is not None
        path = folder / "progress.jsonl"
        return ProgressTail(JobContext(job), run, path), run, path

    def weights(self, folder: Path) -> Path:
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"")
        return folder

    def test_it_takes_over_new_lines_only(self, world: World, tmp_path: Path) -> None:
        tail, run, path = self.tail(world, tmp_path)
        tail.read()
        path.write_text(json.dumps(LINE) + "\n" + '{"step": 2, "unfin')
        tail.read()
        assert list(run.points.values_list("step", "loss")) == [(1, 2.0)]
        with path.open("a") as stream:
            stream.write('ished": 1, "total_steps": 3, "loss": NaN}\n')
        tail.read()
        tail.read()
        assert list(run.points.order_by("step").values_list("step", "loss")) == [(1, 2.0), (2, None)]
        assert Event.objects.filter(type=TrainingProgressed.type).count() == 2

    def test_it_follows_a_resumed_run_back_to_its_checkpoint(self, world: World, tmp_path: Path) -> None:
        tail, run, path = self.tail(world, tmp_path)
        path.write_text("".join(json.dumps({**LINE, "step": step}) + "\n" for step in (1, 2, 3)))
        tail.read()
        rewritten = tmp_path / "new"
        rewritten.write_text(
            "".join(json.dumps({**LINE, "step": step, "loss": 1.5}) + "\n" for step in (1, 2))
        )
        rewritten.replace(path)
        tail.read()
        assert list(run.points.order_by("step").values_list("step", "loss")) == [(1, 1.5), (2, 1.5)]

    def test_it_takes_a_step_that_is_reported_twice(self, world: World, tmp_path: Path) -> None:
        tail, run, path = self.tail(world, tmp_path)
        path.write_text(json.dumps(LINE) + "\n" + json.dumps({**LINE, "loss": None, "eval_loss": 0.5}) + "\n")
        tail.read()
        assert list(run.points.values_list("step", "loss", "eval_loss")) == [(1, 2.0, 0.5)]

    def test_it_keeps_the_last_evaluation_beside_the_last_step(self, world: World, tmp_path: Path) -> None:
        tail, run, path = self.tail(world, tmp_path)
        evaluated = {**LINE, "eval_loss": 0.5, "eval_exact": 0.25}
        path.write_text(json.dumps(evaluated) + "\n" + json.dumps({**LINE, "step": 2}) + "\n")
        tail.read()
        run.refresh_from_db()
        assert (run.progress.step, run.progress.eval_exact) == (2, 0.25)

    def test_a_fenced_attempt_writes_nothing(self, world: World, tmp_path: Path) -> None:
        tail, run, path = self.tail(world, tmp_path)
        Job.objects.update(attempt=2)
        path.write_text(json.dumps(LINE) + "\n")
        events = Event.objects.count()
        with pytest.raises(LeaseLostError):
            tail.read()
        assert not run.points.exists()
        assert Event.objects.count() == events

    def test_a_fenced_attempt_makes_no_specialist(self, world: World, tmp_path: Path) -> None:
        _, run, _ = self.tail(world, tmp_path)
        job = Job.objects.get()
        Job.objects.update(attempt=2)
        with pytest.raises(LeaseLostError):
            services.make_specialist(
                context=JobContext(job), run=run, manifest=MANIFEST, folder=RunFolder(tmp_path)
            )
        assert not Specialist.objects.exists()

    def test_it_makes_one_specialist_however_often_it_runs(self, world: World, tmp_path: Path) -> None:
        _, run, _ = self.tail(world, tmp_path)
        context = JobContext(Job.objects.get())
        made = [
            services.make_specialist(context=context, run=run, manifest=MANIFEST, folder=RunFolder(tmp_path))
            for _ in "ab"
        ]
        assert made[0].pk == made[1].pk
        assert Event.objects.filter(type=TrainingFinished.type).count() == 1


def test_it_refuses_damaged_weights(tmp_path: Path) -> None:
    """In the folder and the manifest of a run from before methods and formats had names."""
    (tmp_path / "adapter").mkdir()
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(b"right")
    digest = sha256_of_file(weights)
    written = {"path": "adapter", "sha256": digest, "files": {"adapter/adapter_model.safetensors": digest}}
    (tmp_path / "manifest.json").write_text(json.dumps({**written, "validation_loss": float("nan")}))
    manifest = verified_manifest(RunFolder(tmp_path))
    assert (manifest.sha256, manifest.validation_loss) == (digest, None)
    assert (manifest.method, manifest.prompt_format) == ("lora", "compact")
    weights.write_bytes(b"wrong")
    with pytest.raises(DamagedWeightsError, match="damaged"):
        verified_manifest(RunFolder(tmp_path))


def test_it_refuses_a_run_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(DamagedWeightsError, match="no valid manifest"):
        verified_manifest(RunFolder(tmp_path))
