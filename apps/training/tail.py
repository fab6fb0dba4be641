"""Follows a run's `progress.jsonl` into the database and to the live pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.events.services import publish
from apps.jobs.runner import JobContext
from apps.training.events import TrainingProgressed
from apps.training.models import ProgressPoint, TrainingRun
from apps.training.storage import read_json

FIGURES = ("loss", "eval_loss", "eval_exact", "learning_rate")


class ProgressTail:
    """Reads new lines by offset. The trainer rewrites the file when it resumes: then all is read again."""

    def __init__(self, context: JobContext, run: TrainingRun, path: Path) -> None:
        self._context = context
        self._run = run
        self._path = path
        self._place: tuple[int, int] = (0, 0)
        self._evaluated: dict[str, Any] = {}

    def read(self) -> None:
        """Takes over what was written since the last call. Raises LeaseLostError before a fenced write."""
        lines, starts_over = self._new_lines()
        if not lines:
            return
        last = lines[-1]
        with self._context.commit():
            self._store(lines, starts_over=starts_over)
            self._publish(last)
        self._log(lines)
        self._context.progress(last["step"], last["total_steps"], _note(last))

    def _new_lines(self) -> tuple[list[dict[str, Any]], bool]:
        try:
            with self._path.open("rb") as stream:
                inode = self._path.stat().st_ino
                starts_over = inode != self._place[0]
                offset = 0 if starts_over else self._place[1]
                stream.seek(offset)
                whole = stream.read().rpartition(b"\n")
        except FileNotFoundError:
            return [], False
        self._place = (inode, offset + len(whole[0]) + len(whole[1]))
        return [read_json(line) for line in whole[0].decode().splitlines() if line], starts_over

    def _store(self, lines: list[dict[str, Any]], *, starts_over: bool) -> None:
        if starts_over:
            self._run.points.filter(step__gt=lines[-1]["step"]).delete()
        points = [
            ProgressPoint(run=self._run, step=line["step"], **{name: line.get(name) for name in FIGURES})
            for line in _one_a_step(lines)
        ]
        ProgressPoint.objects.bulk_create(
            points,
            update_conflicts=True,
            unique_fields=["run", "step"],
            update_fields=list(FIGURES),
            batch_size=500,
        )
        for line in lines:
            if line.get("eval_loss") is not None:
                self._evaluated = {name: line.get(name) for name in ("eval_loss", "eval_exact")}
        TrainingRun.objects.filter(pk=self._run.pk).update(progress={**lines[-1], **self._evaluated})

    def _publish(self, last: dict[str, Any]) -> None:
        job = self._context.job
        fact = TrainingProgressed(
            run=self._run.pk,
            job=job.pk,
            step=last["step"],
            total=last["total_steps"],
            loss=last.get("loss"),
        )
        publish(fact, workspace=job.workspace, agent=job.agent)

    def _log(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line.get("eval_loss") is not None:
                self._context.log(f"step {line['step']} of {line['total_steps']}: {_note(line)}")


def _one_a_step(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An upsert takes a row once only; a step that is reported twice keeps every figure it ever had."""
    steps: dict[int, dict[str, Any]] = {}
    for line in lines:
        known = {name: value for name, value in line.items() if value is not None}
        steps[line["step"]] = {**steps.get(line["step"], {}), **known}
    return list(steps.values())


def _note(line: dict[str, Any]) -> str:
    figures = (("loss", "loss"), ("validation loss", "eval_loss"), ("validation exact", "eval_exact"))
    return ", ".join(f"{words} {line[name]:.3f}" for words, name in figures if line.get(name) is not None)
