"""What is in uploaded files before their import: redacted like everything else, and never stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from apps.accounts.models import Workspace
from apps.privacy.redact import Redactor, UnredactableError
from apps.traces.thread import Piece, ShownMessage, shown
from apps.uploads import mappings
from apps.uploads import services as uploads
from apps.uploads.models import Upload
from slmhub.formats import AUTO, Issue, Record, Reject, SpanKind
from slmhub.formats.merge import joined
from slmhub.formats.peek import peek
from slmhub.formats.records import Message

CALLS = 3
MESSAGES = 6
REJECTS = 5
_LONGEST = 1_200
_UNSHOWABLE = "The first lines could not be searched for sensitive values, so they are not shown."


@dataclass(frozen=True)
class ReadingChoice:
    """How a person wants a file to be read, for its preview."""

    upload: Upload
    format: str = AUTO
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class ShownCall:
    """One of the first spans. `left_out` counts earlier messages that are not shown."""

    kind: str
    name: str
    facts: list[str]
    messages: list[ShownMessage]
    left_out: int


@dataclass
class FilePreview:
    upload: Upload
    wanted: str
    format: str = ""
    container: str = ""
    lines: int | None = None
    problem: str = ""
    warnings: list[str] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    mapping: mappings.Drawn | None = None
    records: list[Record] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return not self.problem and bool(self.records)


@dataclass
class DeliveryPreview:
    files: list[FilePreview]
    calls: list[ShownCall] = field(default_factory=list)
    problem: str = ""

    @property
    def is_ready(self) -> bool:
        return any(file.is_ready for file in self.files)


def preview(readings: Sequence[ReadingChoice]) -> DeliveryPreview:
    """The first spans of files that were chosen together, joined, and what is odd about each file."""
    files = [_looked_at(reading) for reading in readings]
    spans = joined(record for file in files for record in file.records)
    first = [record for record in spans if isinstance(record, Record)]
    first.sort(key=lambda record: record.kind is not SpanKind.LLM)
    whole = DeliveryPreview(files)
    if files:
        _redact(whole, first[:CALLS], files[0].upload.workspace)
    for file in files:
        file.warnings = _warnings(file.records, first)
    return whole


def _looked_at(reading: ReadingChoice) -> FilePreview:
    file = FilePreview(reading.upload, reading.format)
    try:
        with uploads.opened(reading.upload) as stream:
            drawn = mappings.drawn(reading.upload, stream, wanted=reading.format, given=reading.fields)
            stream.seek(0)
            found = peek(
                stream,
                format=AUTO if reading.format == mappings.BY_HAND else reading.format,
                mapping=drawn.rules if drawn and not drawn.problem else None,
            )
    except uploads.UploadGoneError as error:
        file.problem = error.sentence
        return file
    file.format, file.container, file.lines = found.format or "", found.container, found.rows_estimated
    file.mapping, file.records = drawn, found.first
    file.rejects = [_reject(one) for one in found.rejects[:REJECTS]]
    return file


def _reject(reject: Reject) -> dict[str, Any]:
    return {"line": reject.line, "reason": reject.reason, "excerpt": reject.excerpt}


def _redact(whole: DeliveryPreview, records: Sequence[Record], workspace: Workspace) -> None:
    """Puts redacted text in place of everything that came out of the files."""
    raw = {
        "rejects": [file.rejects for file in whole.files],
        "paths": [file.mapping.examples if file.mapping else {} for file in whole.files],
        "calls": [_raw(record) for record in records],
    }
    try:
        # The numbers that the surrogates take here are given back: nothing of a preview stays.
        with transaction.atomic():
            clean = Redactor(workspace).redact(raw)
            transaction.set_rollback(True)
    except UnredactableError:
        whole.problem = _UNSHOWABLE
        clean = {"rejects": [[] for _ in whole.files], "paths": [{} for _ in whole.files], "calls": []}
    for file, rejects, examples in zip(whole.files, clean["rejects"], clean["paths"], strict=True):
        file.rejects = rejects
        if file.mapping:
            file.mapping.examples = examples
    whole.calls = [_shown(call, record) for call, record in zip(clean["calls"], records, strict=False)]


def _raw(record: Record) -> dict[str, Any]:
    messages = record.messages[-MESSAGES:]
    texts = {"name": record.name, "model": record.model, "session": record.session, "error": record.error}
    return {**texts, "messages": messages, "output": record.output}


def _shown(call: dict[str, Any], record: Record) -> ShownCall:
    messages = [_message(message) for message in call["messages"]]
    if call["output"]:
        answer = _message(call["output"])
        answer.is_answer = True
        messages.append(answer)
    return ShownCall(
        kind=record.kind.value,
        name=str(call["name"] or call["model"] or record.kind.value)[:120],
        facts=_facts(call, record),
        messages=messages,
        left_out=max(0, len(record.messages) - MESSAGES),
    )


def _facts(call: dict[str, Any], record: Record) -> list[str]:
    usage = record.usage
    facts = [
        call["model"],
        call["session"] and f"session {call['session']}",
        record.tools and f"{len(record.tools)} tool{'s' * (len(record.tools) > 1)}",
        usage.input is not None and f"{usage.input:,} tokens in",
        usage.output is not None and f"{usage.output:,} tokens out",
        record.latency_ms is not None and f"{record.latency_ms / 1000:.2f} s",
        call["error"] and f"error: {call['error']}",
    ]
    return [str(fact)[:160] for fact in facts if fact]


def _message(message: Message) -> ShownMessage:
    one = shown(message)
    one.pieces = [_short(piece) for piece in one.pieces]
    one.calls = [replace(call, arguments=_short(call.arguments)) for call in one.calls]
    return one


def _short(piece: Piece) -> Piece:
    """There is no page of a preview that could show more."""
    is_long = piece.left_out or len(piece.text) > _LONGEST
    return replace(piece, text=f"{piece.text[:_LONGEST]}…" if is_long else piece.text, left_out=0)


def _warnings(records: Sequence[Record], spans: Sequence[Record]) -> list[str]:
    """About the first spans of one file; `spans` are those of the whole delivery, joined."""
    mine = {(record.trace_id, record.span_id) for record in records}
    calls = [span for span in spans if span.kind is SpanKind.LLM and (span.trace_id, span.span_id) in mine]
    if records and not calls:
        return ["None of the first spans is a call of a model, only steps around such calls."]
    found = [text for lacks, text in _LACKS if calls and all(lacks(call) for call in calls)]
    issues = [issue for call in calls for issue in call.attributes.get("issues", ())]
    return found + [text for issue, text in _ODD.items() if issue.value in issues]


_LACKS: tuple[tuple[Callable[[Record], bool], str], ...] = (
    (
        lambda call: not call.messages,
        "The calls hold no questions: choose the input file together with this one.",
    ),
    (
        lambda call: call.output is None and not call.error,
        "The calls hold no answers: choose the output file together with this one.",
    ),
    (
        lambda call: not call.session,
        "No session ids: each call stands alone, and conversations cannot be split fairly for training.",
    ),
    (
        lambda call: call.usage.input is None and call.usage.output is None,
        "No token counts: costs cannot be told.",
    ),
    (lambda call: call.started_at is None, "No times: the calls will count as made now."),
)
_ODD = {
    Issue.ARGUMENTS_NOT_JSON: "Some tool arguments are not JSON; they are kept as they are.",
    Issue.TIMESTAMP_UNUSABLE: "Some clocks are unusable (before 2000 or after 2099).",
    Issue.CONTENT_OFF: "The emitter was told to leave the text out.",
    Issue.TRUNCATED: "Some values were cut off by the emitter's limits.",
    Issue.NUL_REPLACED: "Some texts hold NUL characters, which are replaced.",
}
