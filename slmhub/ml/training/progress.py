"""Progress of a run as JSON lines, and its clean stop: the only hooks into the Trainer."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from slmhub.files import write_atomically
from slmhub.ml.training.checkpoints import write_marker
from slmhub.ml.training.data import Collator
from slmhub.ml.training.records import ProgressLine, read_record


class ProgressFile:
    """Appends lines; on opening drops those after the step from which the run resumes."""

    def __init__(self, path: Path, *, resumed_step: int) -> None:
        self._path = path
        kept = [line for line in _whole_lines(path) if line.step <= resumed_step]
        self.elapsed_before = (kept[-1].elapsed_s or 0.0) if kept else 0.0
        write_atomically(path, "".join(map(_written, kept)))

    def append(self, line: ProgressLine) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_written(line))


def _written(line: ProgressLine) -> str:
    return msgspec.json.encode(line).decode() + "\n"


def _whole_lines(path: Path) -> list[ProgressLine]:
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append(read_record(line, ProgressLine))
        except ValueError:
            break
    return lines


class ProgressCallback(TrainerCallback):
    """Writes a line whenever the Trainer logs; a line of a step with an evaluation waits for its figures."""

    def __init__(
        self, file: ProgressFile, collator: Collator, *, steps_per_epoch: float, resumed_step: int
    ) -> None:
        self._file = file
        self._collator = collator
        self._steps_per_epoch = steps_per_epoch
        self._resumed_step = resumed_step
        self._started = time.monotonic()
        self._last: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        return self._file.elapsed_before + time.monotonic() - self._started

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._started = time.monotonic()
        self._collator.tokens = 0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self._last = {"loss": float(logs["loss"]), "learning_rate": float(logs["learning_rate"])}
            if not control.should_evaluate:
                self._write(state, {})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.global_step > self._resumed_step:
            self._write(state, metrics or {})

    def _write(self, state: TrainerState, metrics: dict[str, float]) -> None:
        spent = time.monotonic() - self._started
        done = max(1, state.global_step - self._resumed_step)
        line = ProgressLine(
            step=state.global_step,
            total_steps=state.max_steps,
            epoch=round(state.global_step / self._steps_per_epoch, 3),
            loss=self._last.get("loss"),
            learning_rate=self._last.get("learning_rate"),
            eval_loss=metrics.get("eval_loss"),
            eval_exact=metrics.get("eval_exact"),
            elapsed_s=round(self.elapsed, 2),
            eta_s=round(spent / done * (state.max_steps - state.global_step), 1),
            tokens_per_s=round(self._collator.tokens / max(spent, 1e-9), 1),
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self._file.append(line)


class CleanStop(TrainerCallback):
    """Marks whole checkpoints; when asked to stop, saves one at the end of the step and ends the training."""

    def __init__(self) -> None:
        self.requested = False

    def request(self, *_signal: object) -> None:
        self.requested = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if self.requested:
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        write_marker(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
