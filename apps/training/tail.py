"""Follows a run's `progress.jsonl` into the database and to the live pages."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from apps.events.services import publish
from apps.jobs.runner import JobContext
from apps.training.events import TrainingProgressed
from apps.training.models import ProgressPoint, TrainingRun
from slmhub.ml.training.records import ProgressLine, read_record

FIGURES = ("loss", "eval_loss", "eval_exact", "learning_rate")


class ProgressTail:
    """Reads new lines by offset. The trainer rewrites the file when it resumes: then all is read again."""

    def __init__(self, context: JobContext, run: TrainingRun, path: Path) -> None:
        self._context = context
        self._run = run
        self._path = path
        self._place: tuple[int, int] = (0, 0)
        self._evaluated: ProgressLine | None = None

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
        self._context.progress(last.step, last.total_steps, _note(last))

    def _new_lines(self) -> tuple[list[ProgressLine], bool]:
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
        lines = [read_record(line, ProgressLine) for line in whole[0].splitlines() if line]
        return lines, starts_over

    def _store(self, lines: list[ProgressLine], *, starts_over: bool) -> None:
        last = lines[-1]
        if starts_over:
            self._run.points.filter(step__gt=last.step).delete()
        points = [
            ProgressPoint(run=self._run, step=step, **figures) for step, figures in _figures(lines).items()
        ]
        ProgressPoint.objects.bulk_create(
            points,
            update_conflicts=True,
            unique_fields=["run", "step"],
            update_fields=list(FIGURES),
            batch_size=500,
        )
        self._evaluated = next((line for line in reversed(lines) if _is_evaluation(line)), self._evaluated)
        if self._evaluated is not None:
            evaluated = self._evaluated
            last = replace(last, eval_loss=evaluated.eval_loss, eval_exact=evaluated.eval_exact)
        TrainingRun.objects.filter(pk=self._run.pk).update(progress=last)

    def _publish(self, last: ProgressLine) -> None:
        job = self._context.job
        fact = TrainingProgressed(
            run=self._run.pk,
            job=job.pk,
            step=last.step,
            total=last.total_steps,
            loss=last.loss,
        )
        publish(fact, workspace=job.workspace, agent=job.agent)

    def _log(self, lines: list[ProgressLine]) -> None:
        for line in filter(_is_evaluation, lines):
            self._context.log(f"step {line.step} of {line.total_steps}: {_note(line)}")


def _is_evaluation(line: ProgressLine) -> bool:
    return line.eval_loss is not None


def _figures(lines: list[ProgressLine]) -> dict[int, dict[str, float | None]]:
    """An upsert takes a row once only; a step that is reported twice keeps every figure it ever had."""
    steps: dict[int, dict[str, float | None]] = {}
    for line in lines:
        figures = steps.setdefault(line.step, dict.fromkeys(FIGURES))
        figures.update({name: value for name in FIGURES if (value := getattr(line, name)) is not None})
    return steps


def _note(line: ProgressLine) -> str:
    figures = (
        ("loss", line.loss),
        ("validation loss", line.eval_loss),
        ("validation exact", line.eval_exact),
    )
    return ", ".join(f"{words} {value:.3f}" for words, value in figures if value is not None)
