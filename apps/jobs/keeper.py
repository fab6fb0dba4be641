"""Small duties that repeat: sweep leases, and see that the queue clusters still take work.

django-q2 can hang for good when an idle worker is killed while it holds the queue's lock, so each cluster is
pinged; one that neither answers nor runs a job is restarted by the supervisor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.jobs.models import Job, Queue, State

PING_EVERY_S = 10.0
HUNG_AFTER_S = 45.0
IDLE_S = 0.25

log = logging.getLogger(__name__)


def heartbeat_file(queue: str) -> Path:
    return Path(settings.RUN_DIR) / f"heartbeat-{queue}"


def restart_request(queue: str) -> Path:
    return Path(settings.RUN_DIR) / f"restart-worker-{queue}"


def pong(queue: str) -> None:
    """Runs in a worker of the cluster: proof that the cluster takes work."""
    heartbeat_file(queue).touch()


class Watchdog:
    """Pings one cluster while it has no job to run, and asks for its restart when it does not answer."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.alive_at = time.time()
        self.pinged_at = 0.0

    def look(self) -> None:
        now = time.time()
        if self._runs_a_job():
            self.alive_at = now
            return
        self.alive_at = max(self.alive_at, self._answered_at())
        if now - self.alive_at > HUNG_AFTER_S:
            self._ask_for_restart(now)
        elif now - self.pinged_at > PING_EVERY_S:
            self._ping(now)

    def _answered_at(self) -> float:
        try:
            return heartbeat_file(self.queue).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _runs_a_job(self) -> bool:
        return Job.objects.filter(
            queue=self.queue, state=State.RUNNING, lease_until__gt=timezone.now()
        ).exists()

    def _ping(self, now: float) -> None:
        from django_q.tasks import async_task

        self.pinged_at = now
        async_task(
            "apps.jobs.keeper.pong", self.queue.value, q_options={"cluster": self.queue.value, "save": False}
        )

    def _ask_for_restart(self, now: float) -> None:
        log.warning("cluster %s hangs; asking for its restart", self.queue)
        restart_request(self.queue).touch()
        self.alive_at, self.pinged_at = now, 0.0


def duties() -> list[tuple[Callable[[], object], float]]:
    """Every duty with its interval in seconds: the watchdogs and what `settings.KEEPER` names."""
    watchdogs = [(Watchdog(queue).look, 2.0) for queue in Queue]
    return watchdogs + [(import_string(name), interval) for name, interval in settings.KEEPER]


def keep(until: Callable[[], bool]) -> None:
    """Runs the duties until `until` says so. One that fails is logged and tried again."""
    plan = [(duty, interval, 0.0) for duty, interval in duties()]
    while not until():
        close_old_connections()
        plan = [_run_if_due(*entry) for entry in plan]
        time.sleep(IDLE_S)


def _run_if_due(
    duty: Callable[[], object], interval: float, due: float
) -> tuple[Callable[[], object], float, float]:
    if time.monotonic() < due:
        return duty, interval, due
    try:
        duty()
    except Exception:
        log.exception("a duty of the keeper failed; trying again")
    return duty, interval, time.monotonic() + interval
