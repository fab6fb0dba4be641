"""Entries of jobs for tests."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from apps.core.errors import HubError
from apps.jobs.processes import run_child
from apps.jobs.runner import JobContext

# A child that has a child of its own; each writes its process id.
FAMILY = """
import os, subprocess, sys, time
folder = sys.argv[1]
inner = "import os, sys, time; open(sys.argv[1] + '/grandchild', 'w').write(str(os.getpid())); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", inner, folder])
open(folder + "/child", "w").write(str(os.getpid()))
time.sleep(60)
"""


def echo(context: JobContext, *, text: str) -> dict[str, Any]:
    context.log(f"saying {text}")
    context.progress(1, 1, "done")
    return {"said": text}


def refuse(context: JobContext) -> None:
    raise HubError("Too few rows.", hint="Collect 12 more.")


def break_down(context: JobContext) -> None:
    raise ZeroDivisionError("a bug")


def many_steps(context: JobContext, *, steps: int, pause: float) -> dict[str, Any]:
    for step in range(steps):
        context.progress(step, steps, f"step {step}")
        time.sleep(pause)
    return {"steps": steps}


def family(context: JobContext, *, folder: str) -> None:
    run_child(context, [sys.executable, "-c", FAMILY, folder], stderr=Path(folder) / "errors")


def slow_at_first(context: JobContext, *, folder: str) -> dict[str, Any]:
    """Attempt 1 takes for ever; any other ends at once."""
    trail = Path(folder) / "trail"
    with trail.open("a") as file:
        file.write(f"attempt {context.job.attempt} by {os.getpid()}\n")
    if context.job.attempt == 1:
        for _ in range(600):
            context.check()
            time.sleep(0.1)
    return {"by": context.job.attempt}


def note_pid(path: str) -> None:
    """A task of the broker, no job: tells which process runs it."""
    Path(path).write_text(str(os.getpid()))


def deaf(context: JobContext, *, folder: str) -> dict[str, Any]:
    """Attempt 1 hears nothing until it is let go, then writes all it can."""
    if context.job.attempt > 1:
        return {"by": context.job.attempt}
    (Path(folder) / "started").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    context.fenced.clear()
    for write in (lambda: context.log("too late"), lambda: context.progress(9, 9, "too late")):
        try:
            write()
        except Exception as error:
            with (Path(folder) / "refused").open("a") as file:
                file.write(f"{type(error).__name__}\n")
    return {"by": 1}


def child_of_attempt(context: JobContext, *, folder: str) -> dict[str, Any]:
    """The child of attempt 1 runs for ever, that of any other a moment; each notes its process id."""
    attempt = context.job.attempt
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(float(sys.argv[1]))"
    seconds = "600" if attempt == 1 else "0.1"
    source, sink = Path(os.devnull), Path(folder) / f"child-{attempt}"
    command = [sys.executable, "-c", code, seconds]
    return {"code": run_child(context, command, stderr=Path(folder) / "errors", through=(source, sink))}
