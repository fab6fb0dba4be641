"""Child processes of a job: their own group, ended with the job, gone when the worker dies."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from django.conf import settings

from apps.jobs.runner import JobCancelledError, JobContext, LeaseLostError

GRACE_S = 10.0
TICK_S = 0.2
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Runs in the child: the kernel sends `signal_number` when the thread that made the child ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number)


def end_group(process: subprocess.Popen[str], grace_s: float = GRACE_S) -> None:
    """SIGTERM to the whole group, SIGKILL after the grace."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace_s)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run_child(
    context: JobContext,
    arguments: Sequence[str],
    *,
    stderr: Path,
    on_tick: Callable[[], None] | None = None,
    through: tuple[Path, Path] | None = None,
) -> int:
    """Runs a child to its end and returns its exit code, calling `on_tick` meanwhile.

    Standard error goes to the file `stderr`; `through` names the files of standard input and output.
    Raises when the job is cancelled or fenced; the group is ended.
    """
    with stderr.open("ab") as errors, _pipes(through) as pipes, _child(arguments, pipes, errors) as process:
        while process.poll() is None:
            time.sleep(TICK_S)
            try:
                context.check()
            except (JobCancelledError, LeaseLostError):
                end_group(process)
                raise
            if on_tick is not None:
                on_tick()
        if on_tick is not None:
            on_tick()
        return process.returncode


@contextlib.contextmanager
def _pipes(through: tuple[Path, Path] | None) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    source, sink = through or (Path(os.devnull), Path(os.devnull))
    with source.open("rb") as stdin, sink.open("wb") as stdout:
        yield stdin, stdout


@contextlib.contextmanager
def _child(
    arguments: Sequence[str], pipes: tuple[IO[bytes], IO[bytes]], errors: IO[bytes]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        list(arguments),
        stdin=pipes[0],
        stdout=pipes[1],
        stderr=errors,
        text=True,
        cwd=settings.BASE_DIR,
        start_new_session=True,
        preexec_fn=die_with_parent,
        env={**os.environ, "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1")},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end_group(process)
        # A child that has ended by itself may have left its own children behind.
        _signal_group(process, signal.SIGKILL)
