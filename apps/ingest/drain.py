"""Turns spooled bodies into traces; `manage.py ingest_spool` calls `drain` over and over.

Several bodies go into one ingest. The offset is stored after the rows are committed; a crash between the two
reads some bodies again, which changes nothing because their span ids are known.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from filelock import lock_descriptor
from psycopg.errors import ProgramLimitExceeded, StatementTooComplex

from apps.accounts.models import Agent
from apps.core.encryption import SealBrokenError
from apps.ingest.decode import records_of
from apps.ingest.services import ingest
from apps.spool.files import closed_file, offset_file, offset_of, spool_name, undrained
from apps.spool.reader import records_after, records_in, whole_until
from apps.spool.record import SpoolRecord, framed, seal_record
from apps.traces.models import Source
from slmhub.files import write_atomically

MOST_BODIES = 1000
MOST_BYTES = 16 * 1024**2
FOREIGN_SILENCE_S = 24 * 3600
IDLE_S = 0.1
AFTER_FAILURE_S = 1.0
# A body at which the process died so often goes in alone, and then not at all.
ALONE_AFTER = 3
# What PostgreSQL says of a row that is too large for it, in the class of errors that pass by themselves.
TOO_MUCH = (ProgramLimitExceeded, StatementTooComplex)
REFUSED_AFTER = 8
# Of the spans that one ingest refuses.
MOST_LOGGED = 20
LOCK = ".drain.lock"
# In the place of a host in the names of files that were put back.
BACK = "refused"

Entry = tuple[SpoolRecord, int]

log = logging.getLogger(__name__)


def keep_draining(until: Callable[[], bool], folder: Path | None = None) -> None:
    """Drains until `until` says so. A pass that fails is logged and tried again."""
    while not until():
        close_old_connections()
        pause = IDLE_S
        try:
            pause = 0.0 if drain(folder, until) else IDLE_S
        except Exception:
            log.exception("the spool could not be drained; trying again")
            pause = AFTER_FAILURE_S
        if pause:
            time.sleep(pause)


def drain(folder: Path | None = None, until: Callable[[], bool] = lambda: False) -> int:
    """Ingests every whole body of every spool file once; returns how many were read.

    0 also when another process drains this folder just now.
    """
    folder = folder or Path(settings.SPOOL_DIR)
    with _alone(folder) as alone:
        if not alone:
            return 0
        return sum(_drain_file(path, until) for path, _, _ in undrained(folder) if not until())


@contextlib.contextmanager
def _alone(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """The kernel frees the lock of a process that dies."""
    with (folder / LOCK).open("w") as lock:
        yield lock_descriptor(lock.fileno(), blocking=wait)


def _drain_file(path: Path, until: Callable[[], bool]) -> int:
    # Asked first: what is written after the reading must not be deleted.
    abandoned = _is_abandoned(path)
    try:
        read = _read_on(path, until)
    except SealBrokenError:
        log.exception("the spool file %s is damaged; what stands before the damage is stored", path)
        if abandoned:
            _forget(path)
            path.rename(path.with_suffix(f".{time.time_ns()}.damaged"))
        return 0
    if abandoned and not read and not until():
        _forget(path)
        path.unlink(missing_ok=True)
    return read


def _forget(path: Path) -> None:
    """Before the file goes: a later one of its name is another one, and must be read from its beginning."""
    for mark in (closed_file(path), offset_file(path), tried_file(path)):
        mark.unlink(missing_ok=True)


def _read_on(path: Path, until: Callable[[], bool]) -> int:
    offset, read = offset_of(path), 0
    if path.stat().st_size <= offset:
        return 0
    tried = _Tried(path)
    for batch in _batches(records_after(path, offset), tried.deaths(offset) >= ALONE_AFTER):
        with tried.at(offset) as deaths:
            bodies = [body for body, _ in batch]
            if deaths >= REFUSED_AFTER and len(bodies) == 1:
                log.error("the process died %s times over a body; it is set aside", deaths)
                _set_aside(bodies[0], path)
            else:
                _take(bodies, path)
        offset = batch[-1][1]
        _store_offset(path, offset)
        read += len(batch)
        if until():
            break
    return read


class _Tried:
    """How often a process has died (out of memory, kill -9) over what stands at an offset."""

    def __init__(self, path: Path) -> None:
        self.path = tried_file(path)

    def deaths(self, offset: int) -> int:
        try:
            at, times = self.path.read_text().split()
        except (FileNotFoundError, ValueError):
            return 0
        return int(times) if int(at) == offset else 0

    @contextlib.contextmanager
    def at(self, offset: int) -> Iterator[int]:
        """Only who lives on takes its mark away."""
        deaths = self.deaths(offset)
        self.path.write_text(f"{offset} {deaths + 1}")
        try:
            yield deaths
        finally:
            self.path.unlink(missing_ok=True)


def tried_file(path: Path) -> Path:
    return path.with_suffix(".trying")


def _batches(pending: Iterator[Entry], singly: bool) -> Iterator[list[Entry]]:
    """The first entry alone when asked for; what stands before a damaged body comes before its error."""
    batch: list[Entry] = []
    size = 0
    try:
        for entry in pending:
            batch.append(entry)
            size += len(entry[0].payload)
            if singly or size >= MOST_BYTES or len(batch) == MOST_BODIES:
                yield batch
                batch, size, singly = [], 0, False
    except SealBrokenError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _take(bodies: Sequence[SpoolRecord], path: Path) -> None:
    """Ingests the bodies of each agent, source and emitter together."""
    groups: dict[tuple[int, str, str], list[SpoolRecord]] = defaultdict(list)
    for body in bodies:
        groups[body.header.agent, body.header.source, body.header.emitter].append(body)
    agents = Agent.objects.select_related("workspace").in_bulk({agent for agent, _, _ in groups})
    for (agent, _, _), group in groups.items():
        if agent in agents:
            _ingest(agents[agent], group, path)
        else:
            log.warning("%s bodies of an agent that was deleted meanwhile are dropped with it", len(group))


def _ingest(agent: Agent, bodies: Sequence[SpoolRecord], path: Path) -> None:
    """Halves what cannot be stored until the body is found; it is set aside, and holds up nobody else."""
    try:
        header = bodies[0].header
        source = Source(header.source)
        rejects = StringIO()
        records = records_of(bodies)
        ingest(agent=agent, records=records, source=source, emitter_hint=header.emitter, rejects=rejects)
        _log_rejects(agent, rejects.getvalue())
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError) and not isinstance(error.__cause__, TOO_MUCH):
            raise  # the database is away: all of them wait
        if len(bodies) == 1:
            log.exception("a body that was acknowledged cannot be stored; it is set aside")
            _set_aside(bodies[0], path)
            return
        middle = len(bodies) // 2
        _ingest(agent, bodies[:middle], path)
        _ingest(agent, bodies[middle:], path)


def _log_rejects(agent: Agent, rejects: str) -> None:
    """Redacted lines; the sender has gone, and Sources only counts them."""
    lines = rejects.splitlines()
    for line in lines[:MOST_LOGGED]:
        log.warning("a span for the agent %s was refused: %s", agent.slug, line)
    if len(lines) > MOST_LOGGED:
        log.warning("and %s more", len(lines) - MOST_LOGGED)


def _set_aside(body: SpoolRecord, path: Path) -> None:
    refused = path.with_suffix(".refused")
    with refused.open("ab") as file:
        # Half a record, of a process that died here, would hide all that follow.
        file.truncate(whole_until(refused))
        file.write(framed(seal_record(body), time.time()))
        file.flush()
        os.fsync(file.fileno())


def put_refused_back(folder: Path | None = None) -> int:
    """What was set aside waits in the spool again, for a hub that was mended; returns how many bodies."""
    folder = folder or Path(settings.SPOOL_DIR)
    with _alone(folder, wait=True):
        return sum(_put_back(path) for path in sorted(folder.glob("*.refused")))


def _put_back(refused: Path) -> int:
    bodies = records_in(refused)
    number = 1
    while (spool := refused.with_name(spool_name(BACK, os.getpid(), number))).exists():
        number += 1
    # No writer adds to it: it goes as soon as it is drained.
    closed_file(spool).touch()
    refused.rename(spool)
    return bodies


def _store_offset(path: Path, offset: int) -> None:
    # An offset that a power cut takes back has some bodies read again.
    write_atomically(offset_file(path), str(offset), synced=False)


def _is_abandoned(path: Path) -> bool:
    """Its writer has closed it, died or writes to a later file; of another host only silence can tell."""
    if closed_file(path).exists():
        return True
    prefix, pid, number, _ = path.name.split(".")
    if prefix != spool_name(socket.gethostname(), 0, 0).split(".")[0]:
        return time.time() - path.stat().st_mtime > FOREIGN_SILENCE_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), 0)
        return path.with_name(f"{prefix}.{pid}.{int(number) + 1:06d}.spool").exists()
    return True
