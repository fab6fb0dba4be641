"""The background run of a discovery: lines → clustering (child process) → tasks."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from msgspec.structs import asdict

from apps.core.errors import HubError
from apps.discovery.export import recurring_calls, write_lines
from apps.discovery.models import DiscoveryRun
from apps.discovery.results import read_clusters, read_placed
from apps.discovery.storing import store
from apps.jobs.processes import run_child
from apps.jobs.runner import JobContext
from slmhub.ml.clustering.records import StageLine, Summary

STAGES = {
    "collapse": "collapsing repeated texts",
    "embed": "reading what is asked",
    "cluster": "finding groups",
    "name": "naming tasks",
    "map": "drawing the map",
}


class ClusteringFailedError(HubError):
    """The clustering process ended with an error."""


def run(context: JobContext, *, run_id: int) -> dict[str, Any]:
    """Clusters the agent's calls and stores the tasks; a second attempt starts over."""
    discovery = DiscoveryRun.objects.select_related("agent__workspace", "started_by").get(pk=run_id)
    folder = _fresh_folder(context, run_id)
    total = recurring_calls(discovery.agent).count()
    calls = write_lines(
        discovery.agent, folder / "calls.jsonl", lambda done: context.progress(done, total, "reading calls")
    )
    context.log(f"{calls} answered calls")
    _cluster(context, folder)
    summary = msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary)
    context.progress(0, 0, "storing tasks")
    clusters, places = read_clusters(summary), list(read_placed(folder / "places.jsonl"))
    with context.commit():
        discovery.parameters = summary.params
        discovery.save(update_fields=["parameters"])
        figures = store(discovery, clusters, places)
    shutil.rmtree(folder)
    return {**asdict(figures), "seconds": summary.timings}


def _fresh_folder(context: JobContext, run_id: int) -> Path:
    """A folder of this attempt alone: one that hangs must not write into the files of the next."""
    runs, attempt = Path(settings.RUNS_DIR), context.job.attempt
    for left_over in runs.glob(f"discovery-{run_id}-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    folder = runs / f"discovery-{run_id}-{attempt}"
    folder.mkdir(parents=True)
    return folder


def _cluster(context: JobContext, folder: Path) -> None:
    errors = folder / "progress.jsonl"
    code = run_child(
        context,
        [sys.executable, "-m", "slmhub.ml.clustering", "--summary", str(folder / "summary.json")],
        stderr=errors,
        on_tick=lambda: _tell(context, errors),
        through=(folder / "calls.jsonl", folder / "places.jsonl"),
    )
    if code:
        raise ClusteringFailedError(f"The clustering process ended with code {code}: {_tail(errors)}")


def _tell(context: JobContext, errors: Path) -> None:
    last = _last_stage(errors)
    if last is not None:
        context.progress(last.done, last.total, STAGES.get(last.stage, last.stage))


def _last_stage(errors: Path) -> StageLine | None:
    """The newest progress line; libraries may write other lines between."""
    for line in reversed(_tail(errors).splitlines()):
        try:
            return msgspec.json.decode(line, type=StageLine)
        except msgspec.DecodeError:
            continue
    return None


def _tail(path: Path, size: int = 2000) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")
