"""What a dead process leaves behind comes to the nearest adopter above it, which ends it.

Process groups do not reach this far: a job's child leads a session of its own, so when its worker is killed,
the kernel ends the child, but the child's own children would go on for ever.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
END_WITHIN_S = 2.0

_libc = ctypes.CDLL(None)


def adopt() -> None:
    """From now on this process is the parent of every orphan among its descendants."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """Process ids of the direct children, adopted ones included."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except FileNotFoundError:  # a kernel without this list leaves orphans to init
        return []


def end_adopted(own: Collection[int]) -> None:
    """Kills and reaps every direct child that is not among `own`."""
    for pid in children():
        if pid not in own:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)


def end_all() -> None:
    """Kills every descendant: those of a dead child come here and are next."""
    deadline = time.monotonic() + END_WITHIN_S
    while children() and time.monotonic() < deadline:
        end_adopted(())
        time.sleep(0.01)
