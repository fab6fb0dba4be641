"""Turns spooled calls into traces; the keeper calls `drain` over and over."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError

from apps.accounts.models import Agent
from apps.core.encryption import SealBrokenError
from apps.gateway.spool import as_bytes, records_after, seal_note, spool_name
from apps.traces.ingest import ingest
from apps.traces.models import Source
from slmhub.formats import MalformedError, Record, Reject, parse_row

BATCH = 200
FOREIGN_SILENCE_S = 24 * 3600
DAMAGE = (SealBrokenError, orjson.JSONDecodeError)

Entry = tuple[dict[str, Any], int]

log = logging.getLogger(__name__)


def drain(folder: Path | None = None) -> int:
    """Ingests every whole record of every spool file once; returns how many were read.

    The offset is stored after the rows are committed; a crash between the two reads some records again, which
    changes nothing because their span ids are known.
    """
    folder = folder or Path(settings.SPOOL_DIR)
    return sum(_drain_file(path) for path in sorted(folder.glob("gateway-*.spool")))


def _drain_file(path: Path) -> int:
    # Asked first: what is written after the reading must not be deleted.
    abandoned = _is_abandoned(path)
    try:
        read = _read_on(path)
    except DAMAGE:
        log.exception("the spool file %s is damaged; what stands before the damage is stored", path)
        if abandoned:
            path.rename(path.with_suffix(".damaged"))
        return 0
    if abandoned and not read:
        # The offset goes first: a later file of this name must be read from its beginning.
        _offset_file(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    return read


def _read_on(path: Path) -> int:
    offset, read = _offset(path), 0
    if path.stat().st_size > offset:
        for batch in _batches(records_after(path, offset)):
            _take([record for record, _ in batch], path)
            _store_offset(path, batch[-1][1])
            read += len(batch)
    return read


def _batches(pending: Iterator[Entry]) -> Iterator[list[Entry]]:
    """What stands before a damaged record comes before its error."""
    batch: list[Entry] = []
    try:
        for entry in pending:
            batch.append(entry)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except DAMAGE:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _take(notes: list[dict[str, Any]], path: Path) -> None:
    """Ingests the notes; one that cannot be stored is set aside, sealed, and holds up nobody else."""
    try:
        _ingest(notes)
    except (OperationalError, InterfaceError):
        raise  # the database is away: all of them wait
    except Exception:
        if len(notes) > 1:
            for note in notes:
                _take([note], path)
        else:
            log.exception("a recorded call cannot be stored; it is set aside")
            with path.with_suffix(".refused").open("ab") as file:
                file.write(as_bytes(seal_note(notes[0])))


def _ingest(notes: list[dict[str, Any]]) -> None:
    by_agent: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for note in notes:
        by_agent[note["agent"]].append(note["row"])
    for agent in Agent.objects.select_related("workspace").filter(pk__in=by_agent):
        ingest(agent=agent, records=[_parse(row) for row in by_agent[agent.pk]], source=Source.GATEWAY)


def _parse(row: dict[str, Any]) -> Record | Reject:
    try:
        return parse_row(row)
    except MalformedError as error:
        log.warning("the gateway recorded a call that cannot be read: %s", error)
        return Reject(line=0, reason=str(error), excerpt="")


def _offset_file(path: Path) -> Path:
    return path.with_suffix(".offset")


def _offset(path: Path) -> int:
    try:
        return int(_offset_file(path).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _store_offset(path: Path, offset: int) -> None:
    temporary = path.with_suffix(".offset.tmp")
    temporary.write_text(str(offset))
    temporary.replace(_offset_file(path))


def _is_abandoned(path: Path) -> bool:
    """Its writer has died or writes to a later file; of another host's writer only its silence can tell."""
    prefix, pid, number, _ = path.name.split(".")
    if prefix != spool_name(socket.gethostname(), 0, 0).split(".")[0]:
        return time.time() - path.stat().st_mtime > FOREIGN_SILENCE_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), 0)
        return path.with_name(f"{prefix}.{pid}.{int(number) + 1:06d}.spool").exists()
    return True
