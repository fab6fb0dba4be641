"""The processes of one machine, as `manage.py hub` runs them."""

from __future__ import annotations

import contextlib
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from slmhub.supervision.children import Child

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
# Two cores: whoever computes must leave the pages a core.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
START_WITHIN_S = 60.0


def migrate_all() -> None:
    for alias in connections:
        call_command("migrate", database=alias, interactive=False, verbosity=0)


def web(host: str, port: int) -> Child:
    # h11 bounds what a request may send as headers; uvicorn's other parser does not.
    listen = ["--host", host, "--port", str(port), "--http", "h11", "--ws", "websockets-sansio"]
    options = ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "3"]
    # Static files reach ASGI through synchronous iterators; each is small and sent once.
    quiet = {"PYTHONWARNINGS": "ignore:StreamingHttpResponse must consume synchronous iterators"}
    uvicorn = [sys.executable, "-m", "uvicorn", "slmhub.asgi:application"]
    return Child("web", [*uvicorn, *listen, *options], quiet)


def worker(queue: str) -> Child:
    leader = [sys.executable, "-m", "slmhub.supervision.leader"]
    return Child(f"worker-{queue}", [*leader, *MANAGE, "qcluster"], {"Q_CLUSTER_NAME": queue, **ONE_THREAD})


def keeper() -> Child:
    return Child("keeper", [*MANAGE, "keeper"])


def ingest() -> Child:
    return Child("ingest", [*MANAGE, "ingest_spool"], ONE_THREAD)


def specialist_server() -> Child:
    port = str(settings.SPECIALIST_SERVER_PORT)
    command = ["-m", "slmhub.ml.serving", "--models", str(settings.MODELS_DIR), "--port", port]
    return Child("specialists", [sys.executable, *command], ONE_THREAD)


def demo_teacher() -> Child:
    port = str(settings.DEMO_TEACHER_PORT)
    return Child("demo-teacher", [sys.executable, "-m", "slmhub.demo.teacher", "--port", port], ONE_THREAD)


@contextlib.contextmanager
def borrowed(children: Sequence[Child], urls: Sequence[str]) -> Iterator[None]:
    """Runs `children` for the length of a block, from when every one of `urls` answers."""
    for child in children:
        child.start()
    try:
        for url in urls:
            _wait_for(url)
        yield
    finally:
        for child in children:
            child.ask_to_end()
        for child in children:
            child.end(time.monotonic() + 5)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while not answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - an address of ours
            return bool(response.status == 200)
    except OSError:
        return False
