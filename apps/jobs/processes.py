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

from apps.jobs.runner import JobCancelledError, JobContext, LeaseLostError

GRACE_S = 10.0
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
    tick_s: float = 0.5,
) -> int:
    """Runs a child to its end and returns its exit code, calling `on_tick` meanwhile.

    Standard error goes to the file `stderr`. Raises when the job is cancelled or fenced; the group is ended.
    """
    with stderr.open("ab") as errors, _child(arguments, errors.fileno()) as process:
        while process.poll() is None:
            time.sleep(tick_s)
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
def _child(arguments: Sequence[str], errors: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,
        env={**os.environ, "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1")},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end_group(process)


