"""A call's messages as a page shows them: what is new apart from what is repeated, findings marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.privacy.models import Finding
from apps.privacy.selectors import of_contents
from apps.traces.models import Kind, Span
from apps.traces.selectors import CallContent, bodies_of, content_ids
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.tool_calls import ToolCall, tool_calls_of

LONGEST_SHOWN = 6_000
LONGEST_EVER = 2_000_000
_FOLD_FROM = 700
_PROMPT_ROLES = ("system", "developer")
_SHOWN_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name"}


@dataclass(frozen=True)
class Piece:
    """A run of text; `is_data` is shown as it stands, in mono. `left_out` counts characters not shown."""

    text: str
    label: str = ""
    is_data: bool = False
    left_out: int = 0


@dataclass(frozen=True)
class ShownCall:
    name: str
    id: str
    arguments: Piece
    is_json: bool


@dataclass
class ShownMessage:
    role: str
    content_id: int
    name: str = ""
    pieces: list[Piece] = field(default_factory=list)
    calls: list[ShownCall] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    is_new: bool = True
    is_answer: bool = False

    @property
    def is_prompt(self) -> bool:
        return self.role in _PROMPT_ROLES

    @property
    def summary(self) -> str:
        return self.pieces[0].text[:160] if self.pieces else ", ".join(call.name for call in self.calls)

    @property
    def is_folded(self) -> bool:
        return self.is_prompt and sum(len(piece.text) for piece in self.pieces) > _FOLD_FROM


@dataclass(frozen=True)
class Thread:
    repeated: list[ShownMessage]
    new: list[ShownMessage]
    answer: ShownMessage | None

    @property
    def findings(self) -> list[Finding]:
        """Of what is new here."""
        return _findings([*self.new, *([self.answer] if self.answer else [])])

    @property
    def repeated_findings(self) -> list[Finding]:
        return _findings(self.repeated)


@dataclass(frozen=True)
class Neighbours:
    """The calls before and after in the session, and this call's place in it."""

    before: int | None = None
    after: int | None = None
    number: int = 1
    total: int = 1


def thread_of(span: Span, *, full: bool = False) -> tuple[Thread, CallContent]:
    """The thread for the page and the redacted shapes for copying; three queries."""
    ids = content_ids(span)
    bodies = bodies_of(ids)
    findings = of_contents(ids)
    messages = [
        _shown(bodies[pk], pk, findings.get(pk, []), full=full) for pk in span.message_ids if pk in bodies
    ]
    for position, message in enumerate(messages):
        message.is_new = position >= span.new_from
    answer = None
    if span.output_id in bodies:
        answer = _shown(bodies[span.output_id], span.output_id, findings.get(span.output_id, []), full=full)
        answer.is_answer = True
    content = CallContent(
        messages=[bodies[pk] for pk in span.message_ids if pk in bodies],
        tools=bodies.get(span.tools_id or 0) or [],
        output=bodies.get(span.output_id or 0),
    )
    thread = Thread(repeated=messages[: span.new_from], new=messages[span.new_from :], answer=answer)
    return thread, content


def _findings(messages: Sequence[ShownMessage]) -> list[Finding]:
    """Each message counts once, however often it stands in the call."""
    distinct = {message.content_id: message.findings for message in messages}
    return [finding for findings in distinct.values() for finding in findings]


def neighbours(span: Span) -> Neighbours:
    """By time, then by arrival."""
    if span.session_id is None or span.kind != Kind.LLM:
        return Neighbours()
    order = list(
        Span.objects.calls()
        .filter(session=span.session_id)
        .order_by("started_at", "pk")
        .values_list("pk", flat=True)
    )
    at = order.index(span.pk)
    return Neighbours(
        before=order[at - 1] if at else None,
        after=order[at + 1] if at + 1 < len(order) else None,
        number=at + 1,
        total=len(order),
    )


def _shown(body: dict[str, Any], content_id: int, findings: list[Finding], *, full: bool) -> ShownMessage:
    pieces = _pieces(body.get("content"), full=full)
    rest = {
        key: value for key, value in body.items() if key not in _SHOWN_KEYS and value not in (None, [], {})
    }
    pieces += [
        _cut(value if isinstance(value, str) else pretty(value), full=full, label=key)
        for key, value in rest.items()
    ]
    return ShownMessage(
        role=str(body.get("role", "")),
        content_id=content_id,
        name=str(body.get("name") or ""),
        pieces=pieces,
        calls=[_shown_call(call, full=full) for call in tool_calls_of(body)],
        findings=findings,
    )


def _pieces(content: Any, *, full: bool) -> list[Piece]:
    if isinstance(content, list):
        return [_part(part, full=full) for part in content]
    if not content:
        return []
    document = json_of(content)
    if document is not None:
        return [_cut(pretty(document), full=full, is_data=True)]
    return [_cut(content, full=full)]


def _part(part: Any, *, full: bool) -> Piece:
    if not isinstance(part, dict):
        return _cut(str(part), full=full)
    if isinstance(part.get("text"), str):
        return _cut(part["text"], full=full)
    if part.get("type") == "image_url":
        return Piece(_image_note(part), label="image")
    return _cut(pretty(part), full=full, is_data=True, label=str(part.get("type", "")))


def _image_note(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    url = str(image.get("url", "") if isinstance(image, dict) else image)
    return f"{url[:40]}… ({len(url):,} characters, not shown)" if url.startswith("data:") else url[:500]


def _shown_call(call: ToolCall, *, full: bool) -> ShownCall:
    document = json_of(call.text)
    text = call.text if document is None else pretty(document)
    return ShownCall(
        name=call.name,
        id=call.id,
        arguments=_cut(text, full=full, is_data=True),
        is_json=document is not None,
    )


def _cut(text: str, *, full: bool, is_data: bool = False, label: str = "") -> Piece:
    longest = LONGEST_EVER if full else LONGEST_SHOWN
    return Piece(text[:longest], label, is_data, max(0, len(text) - longest))


def json_of(text: str) -> Any:
    """The object or list that the text is as JSON, None for anything else."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return decode(text)
    except NotJsonError:
        return None


def pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def shown(body: dict[str, Any]) -> ShownMessage:
    """A message that is not stored."""
    return _shown(body, 0, [], full=False)
