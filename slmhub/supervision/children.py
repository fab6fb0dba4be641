"""One supervised child process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
LONGEST_BACKOFF_S = 30.0
STABLE_AFTER_S = 60.0

_libc = ctypes.CDLL(None)


def _die_with_supervisor() -> None:
    # The kernel tells the child when the supervisor goes, even by kill -9.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A command that should always run, in a session and process group of its own."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    restarts: int = 0
    started_at: float = 0.0
    next_start_at: float = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(
            list(self.arguments),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_supervisor,
        )
        self.started_at = time.monotonic()

    def watch(self) -> str | None:
        """Starts the child if it is due; reports what happened in one line, or nothing."""
        if self.process is not None and self.process.poll() is not None:
            return self._bury(self.process)
        if self.process is None and time.monotonic() >= self.next_start_at:
            self.start()
        return None

    def _bury(self, process: subprocess.Popen[bytes]) -> str:
        # What a dead leader left behind (a cluster's workers, say) must not go on beside its successor.
        self.signal(signal.SIGKILL)
        stable = time.monotonic() - self.started_at > STABLE_AFTER_S
        self.failures = 0 if stable else self.failures + 1
        delay = min(LONGEST_BACKOFF_S, 0.25 * 2**self.failures)
        self.next_start_at = time.monotonic() + delay
        self.process = None
        self.restarts += 1
        return f"{self.name} ended with {process.returncode}; starting again in {delay:.1f} s"

    def signal(self, number: int) -> None:
        """To the whole process group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def ask_to_end(self) -> None:
        """To the leader only: it knows how to end its own children."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, by: float) -> None:
        """Waits until `by` (monotonic seconds), then kills what is left of the group."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, by - time.monotonic()))
        self.signal(signal.SIGKILL)
        self.process.wait()

    @property
    def state(self) -> dict[str, object]:
        running = self.process is not None and self.process.poll() is None
        return {
            "state": "running" if running else "restarting",
            "pid": self.process.pid if self.process is not None else None,
            "restarts": self.restarts,
            "seconds": round(time.monotonic() - self.started_at) if running else 0,
        }
