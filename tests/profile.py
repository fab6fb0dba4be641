"""Throw-away PostgreSQL and Redis for the tests of the production profile. Safe to use as root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

READY_WITHIN_S = 30
FAST = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=127.0.0.1"]


def postgres_binary(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(versions[0]) if versions else shutil.which(name)


def missing() -> list[str]:
    """What the production profile needs and this machine has not."""
    found = {"postgresql": postgres_binary("initdb"), "redis-server": shutil.which("redis-server")}
    return [name for name, path in found.items() if path is None]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def services() -> Iterator[dict[str, str]]:
    """Runs both servers for the length of a block and gives the environment that points at them."""
    with tempfile.TemporaryDirectory(prefix="hub-tests-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o711)
        database = stack.enter_context(postgres(Path(folder)))
        yield {"DATABASE_URL": database, "REDIS_URL": stack.enter_context(redis(Path(folder)))}


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    data, port, drop = folder / "postgres", free_port(), _unprivileged()
    data.mkdir(mode=0o700)
    if drop:
        os.chown(data, drop["user"], drop["group"])
    initdb = [
        postgres_binary("initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run([*initdb, "--no-locale"], check=True, stdout=subprocess.DEVNULL, cwd="/", **drop)
    options = [word for setting in FAST for word in ("-c", setting)]
    command = [postgres_binary("postgres"), "-D", str(data), "-p", str(port), "-k", str(data), *options]
    with _process(command, drop):
        _wait_for_postgres(port)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _wait_for_postgres(port: int) -> None:
    import psycopg

    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=2
            ).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _process([*command, "--dir", str(folder)], {}):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def _process(command: list[Any], drop: dict[str, Any]) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    with subprocess.Popen(command, **quiet, **drop) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown for PostgreSQL
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
