"""Turns spooled calls into traces; the keeper calls `drain` over and over."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.accounts.models import Agent
from apps.gateway.spool import records_after, spool_name
from apps.traces.ingest import ingest
from apps.traces.models import Source
from slmhub.formats import MalformedError, Record, Reject, parse_row

BATCH = 200
FOREIGN_SILENCE_S = 24 * 3600

log = logging.getLogger(__name__)


def drain(folder: Path | None = None) -> int:
    """Ingests every whole record of every spool file once; returns how many were read.

    The offset is stored after the rows are committed; a crash between the two reads some records again, which
    changes nothing because their span ids are known.
    """
    folder = folder or Path(settings.SPOOL_DIR)
    return sum(_drain_file(path) for path in sorted(folder.glob("gateway-*.spool")))


def _drain_file(path: Path) -> int:
    offset, read = _offset(path), 0
    if path.stat().st_size > offset:
        pending = records_after(path, offset)
        while batch := list(itertools.islice(pending, BATCH)):
            _ingest([record for record, _ in batch])
            _store_offset(path, batch[-1][1])
            read += len(batch)
    if not read and _is_abandoned(path):
        path.unlink(missing_ok=True)
        _offset_file(path).unlink(missing_ok=True)
    return read


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
