"""Records in, redacted and stored spans out. Every way into the hub goes through `ingest`."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

import orjson
from django.db import transaction

from apps.accounts.models import Agent
from apps.ingest.batch import Commit, Writer
from apps.privacy.redact import UnredactableError
from apps.traces.models import Source
from slmhub.formats import Record, Reject

BATCH = 500
# A batch of long calls ends earlier, so that memory stays bounded whatever the lines hold.
BATCH_CHARACTERS = 16_000_000

log = logging.getLogger(__name__)


@dataclass
class IngestSummary:
    """What became of the spans so far; `completed` are late parts of spans that were there."""

    read: int = 0
    accepted: int = 0
    completed: int = 0
    duplicate: int = 0
    rejected: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


OnProgress = Callable[[IngestSummary], None]


def ingest(
    *,
    agent: Agent,
    records: Iterable[Record | Reject],
    source: Source,
    on_progress: OnProgress | None = None,
    rejects: IO[str] | None = None,
    emitter_hint: str = "",
    commit: Commit = transaction.atomic,
) -> IngestSummary:
    """Stores what is new, each batch in its own transaction; a repeated delivery changes nothing.

    Rejects are written to `rejects` as JSON lines `{line, reason, excerpt}`, redacted. What `on_progress`
    raises (a cancel) ends the run between two batches. `emitter_hint` names an emitter that does not name
    itself, such as the user agent of the request. A job gives its own, fenced `commit`.
    """
    summary = IngestSummary()
    writer = Writer(agent, source, emitter_hint, commit)
    for batch in batches(records):
        _take(batch, writer, summary, rejects)
        if on_progress is not None:
            on_progress(summary)
    return summary


def collect_seldom() -> None:
    """For a process that does nothing else: records and rows hold no cycles, and looking for some in them
    takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


def batches(records: Iterable[Record | Reject]) -> Iterator[list[tuple[int, Record | Reject]]]:
    """Records with their place in the stream, by number and by size."""
    batch: list[tuple[int, Record | Reject]] = []
    size = 0
    for place, record in enumerate(records, start=1):
        batch.append((place, record))
        size += weight(record)
        if len(batch) >= BATCH or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def weight(record: Record | Reject) -> int:
    """About how many characters a record holds in memory."""
    if isinstance(record, Reject):
        return len(record.excerpt)
    return sum(_length(message.get("content")) for message in record.messages)


def _length(content: Any) -> int:
    return len(content) if isinstance(content, str) else len(orjson.dumps(content, default=str))


def _take(
    batch: list[tuple[int, Record | Reject]], writer: Writer, summary: IngestSummary, rejects: IO[str] | None
) -> None:
    refused = [item for _, item in batch if isinstance(item, Reject)]
    records = [(place, item) for place, item in batch if isinstance(item, Record)]
    outcome = writer.write(records, refused=len(refused))
    refused += outcome.rejected
    summary.read += len(batch)
    summary.accepted += outcome.number("accepted")
    summary.completed += outcome.number("completed")
    summary.duplicate += outcome.number("duplicate")
    summary.rejected += len(refused)
    if rejects is not None:
        for reject in sorted(refused, key=lambda one: one.line):
            rejects.write(reject_line(reject, writer))


def reject_line(reject: Reject, writer: Writer) -> str:
    """The reject as a JSON line; what cannot be redacted is left out of it."""
    try:
        reason, excerpt = writer.redactor.redact([reject.reason, reject.excerpt])
    except UnredactableError:
        reason, excerpt = "the line could not be read, and its reason could not be redacted", ""
    line = {"line": reject.line, "reason": reason, "excerpt": excerpt}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode()
