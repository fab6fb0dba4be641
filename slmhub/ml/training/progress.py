"""Progress of a run as JSON lines, and its clean stop: the only hooks into the Trainer."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from slmhub.ml.training.checkpoints import write_atomically, write_marker
from slmhub.ml.training.data import Collator


@dataclass(frozen=True)
class ProgressLine:
    """One line of progress.jsonl."""

    step: int
    total_steps: int
    epoch: float
    loss: float | None
    learning_rate: float | None
    eval_loss: float | None
    eval_exact: float | None
    elapsed_s: float
    eta_s: float
    tokens_per_s: float
    at: str


class ProgressFile:
    """Appends lines; on opening drops those after the step from which the run resumes."""

    def __init__(self, path: Path, *, resumed_step: int) -> None:
        self._path = path
        kept = [line for line in _whole_lines(path) if line["step"] <= resumed_step]
        self.elapsed_before = float(kept[-1]["elapsed_s"]) if kept else 0.0
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept))

    def append(self, line: ProgressLine) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(line))
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
