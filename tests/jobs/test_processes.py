"""Children of a job: seen to their end, and never left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from apps.jobs import processes
from apps.jobs.models import Job
from apps.jobs.processes import run_child
from apps.jobs.runner import JobCancelledError, JobContext, LeaseLostError
from tests.jobs.work import FAMILY
from tests.servers import eventually, gone

pytestmark = pytest.mark.slow


@pytest.fixture
def context() -> JobContext:
    return JobContext(Job(pk=1))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_it_returns_the_exit_code_and_keeps_what_was_said(context: JobContext, tmp_path: Path) -> None:
    source, sink, errors = tmp_path / "in", tmp_path / "out", tmp_path / "err"
    source.write_text("abc")
    code = "import sys; print(sys.stdin.read().upper()); print('oh', file=sys.stderr); sys.exit(3)"

    assert run_child(context, python(code), stderr=errors, through=(source, sink)) == 3
    assert (sink.read_text(), errors.read_text()) == ("ABC\n", "oh\n")


def test_it_ticks_while_the_child_runs_and_once_after(context: JobContext, tmp_path: Path) -> None:
    ticks: list[float] = []
    code = "import time; time.sleep(0.7)"
    run_child(context, python(code), stderr=tmp_path / "err", on_tick=lambda: ticks.append(time.monotonic()))

    assert len(ticks) >= 3


@pytest.mark.parametrize("error", [JobCancelledError, LeaseLostError])
def test_a_job_that_stops_ends_its_whole_group(
    context: JobContext, tmp_path: Path, error: type[Exception]
) -> None:
    def stop_when_both_run() -> None:
        if (tmp_path / "grandchild").exists() and (tmp_path / "child").exists():
            (context.cancelled if error is JobCancelledError else context.fenced).set()

    with pytest.raises(error):
        run_child(
            context,
            [sys.executable, "-c", FAMILY, str(tmp_path)],
            stderr=tmp_path / "err",
            on_tick=stop_when_both_run,
        )
    for name in ("child", "grandchild"):
        pid = int((tmp_path / name).read_text())
        eventually(lambda pid=pid: gone(pid), within=1)


def test_one_that_does_not_listen_is_killed_after_the_grace(
    context: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open('ready', 'w'); time.sleep(60)"
    )
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(python(code), text=True, start_new_session=True)
    eventually((tmp_path / "ready").exists)

    processes.end_group(process, grace_s=0.3)
    assert process.returncode == -signal.SIGKILL


def test_a_child_that_ends_leaves_no_child_of_its_own(context: JobContext, tmp_path: Path) -> None:
    code = FAMILY.replace("time.sleep(60)\n", "\n").replace(
        'open(folder + "/child"', 'time.sleep(0.5)\nopen(folder + "/child"'
    )
    assert run_child(context, [sys.executable, "-c", code, str(tmp_path)], stderr=tmp_path / "err") == 0

    pid = int((tmp_path / "grandchild").read_text())
    eventually(lambda: gone(pid), within=1)


def test_a_killed_worker_takes_its_child_along(tmp_path: Path) -> None:
    code = f"""
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slmhub.settings")
        import django
        django.setup()
        from pathlib import Path
        from apps.jobs.models import Job
        from apps.jobs.processes import run_child
        from apps.jobs.runner import JobContext
        inner = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
        command = [sys.executable, "-c", inner, "{tmp_path}/child"]
        run_child(JobContext(Job(pk=1)), command, stderr=Path("{tmp_path}/err"))
    """
    worker = subprocess.Popen(python(code))
    file = tmp_path / "child"
    eventually(lambda: file.exists() and file.read_text(), within=20)
    pid = int(file.read_text())
    worker.kill()
    worker.wait()

    eventually(lambda: gone(pid), within=2)
