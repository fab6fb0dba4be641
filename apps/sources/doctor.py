"""The ingest doctor: what every source sends, what is missing in it, and which setting mends it.

Judged are the newest spans of an emitter, so that a setting that was mended shows soon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models.functions import Length

from apps.accounts.models import Agent
from apps.sources.remedies import Finding, Remedy, remedy_for
from apps.traces.models import Emitter, Kind, Source, Span
from slmhub.formats import Issue

NEWEST = 2_000
# Shares below which the absence of something is worth a word.
ENOUGH = {
    Finding.NO_MESSAGES: 0.95,
    Finding.NO_USAGE: 0.95,
    Finding.NO_SESSION: 0.95,
    Finding.NO_LATENCY: 0.95,
    Finding.NO_USER: 0.05,
    Finding.NO_TOOLS: 0.0,
}
MOST_DUPLICATES = 0.02
EVENTS = "otel_genai_events"
_CLOCKS = {Issue.CLOCK_SKEW, Issue.TIMESTAMP_UNUSABLE, "clock_out_of_range"}


class Look(NamedTuple):
    """What the doctor reads of one span."""

    kind: str
    message_ids: list[int]
    output_id: int | None
    tools_id: int | None
    input_tokens: int | None
    session_id: int | None
    user: int
    latency_ms: float | None
    issues: list[str]
    dropped_attributes: int
    partial: bool
    action: str


@dataclass(frozen=True)
class Share:
    """How many of the calls have something. `of` is 0 when there was no call."""

    name: str
    having: int
    of: int

    @property
    def value(self) -> float:
        return self.having / self.of if self.of else 0.0


@dataclass(frozen=True)
class Complaint:
    """One thing to mend: what was found, on how many spans, and the setting."""

    finding: Finding
    says: str
    spans: int
    remedy: Remedy | None
    grave: bool


@dataclass(frozen=True)
class Diagnosis:
    emitter: Emitter
    spans: int
    calls: int
    shares: list[Share]
    complaints: list[Complaint]

    @property
    def is_grave(self) -> bool:
        return any(complaint.grave for complaint in self.complaints)

    @property
    def status(self) -> str:
        if not self.complaints:
            return "ok"
        return "bad" if self.is_grave else "warn"


def diagnoses(agent: Agent) -> list[Diagnosis]:
    """One for each emitter, the last one heard of first."""
    return [diagnosis(emitter) for emitter in agent.emitters.order_by("-last_at", "-pk")]


def diagnosis(emitter: Emitter) -> Diagnosis:
    looks = list(_newest(emitter))
    calls = [look for look in looks if look.kind == Kind.LLM]
    shares = shares_of(calls)
    complaints = [*_missing(emitter, shares, calls), *_odd(emitter, looks), *_delivered(emitter)]
    complaints.sort(key=lambda complaint: (not complaint.grave, -complaint.spans))
    return Diagnosis(emitter, len(looks), len(calls), shares, complaints)


def _newest(emitter: Emitter) -> Iterator[Look]:
    spans = Span.objects.filter(emitter=emitter).annotate(named=Length("user")).order_by("-pk")[:NEWEST]
    names = [name if name != "user" else "named" for name in Look._fields]
    return (Look(*values) for values in spans.values_list(*names))


HAS: dict[str, Callable[[Look], object]] = {
    "messages": lambda look: look.message_ids,
    "answer": lambda look: look.output_id,
    "tools": lambda look: look.tools_id,
    "usage": lambda look: look.input_tokens is not None,
    "session": lambda look: look.session_id,
    "user": lambda look: look.user,
    "latency": lambda look: look.latency_ms is not None,
}


def shares_of(calls: Iterable[Look]) -> list[Share]:
    looked = list(calls)
    return [Share(name, sum(bool(has(look)) for look in looked), len(looked)) for name, has in HAS.items()]


def _missing(emitter: Emitter, shares: list[Share], calls: list[Look]) -> Iterator[Complaint]:
    having = {share.name: share for share in shares}
    named = {
        Finding.NO_MESSAGES: ("messages", "calls came without messages, so nothing can be learnt from them"),
        Finding.NO_USAGE: ("usage", "calls came without token counts, so they have no cost"),
        Finding.NO_SESSION: ("session", "calls belong to no session, so data cannot be split by session"),
        Finding.NO_LATENCY: ("latency", "calls came without a duration"),
        Finding.NO_USER: ("user", "calls name no user"),
    }
    off = sum(Issue.CONTENT_OFF in look.issues for look in calls)
    for finding, (name, says) in named.items():
        share = having[name]
        if share.of and share.value < ENOUGH[finding] and not (finding is Finding.NO_MESSAGES and off):
            grave = finding is Finding.NO_MESSAGES
            yield _complaint(emitter, finding, says, share.of - share.having, grave)
    untold = [look for look in calls if look.action.startswith("tool:") and not look.tools_id]
    if untold:
        yield _complaint(emitter, Finding.NO_TOOLS, "calls used tools that they do not define", len(untold))


def _odd(emitter: Emitter, looks: list[Look]) -> Iterator[Complaint]:
    counted = Counter(issue for look in looks for issue in look.issues)
    if off := counted[Issue.CONTENT_OFF]:
        says = "spans were sent without their text: it is switched off at the source"
        yield _complaint(emitter, Finding.CONTENT_OFF, says, off, True)
    if dropped := [look.dropped_attributes for look in looks if look.dropped_attributes]:
        says = f"spans lost {sum(dropped):,} attributes to the emitter's own limits"
        yield _complaint(emitter, Finding.ATTRIBUTES_DROPPED, says, len(dropped), True)
    if cut := counted[Issue.TRUNCATED]:
        yield _complaint(emitter, Finding.TRUNCATED, "payloads end in the middle", cut, True)
    if double := counted[Issue.WRAPS_MODEL_CALL]:
        says = "model spans hold other model spans; only the inner ones are counted"
        yield _complaint(emitter, Finding.DOUBLE_COUNT, says, double)
    if skewed := sum(bool(_CLOCKS & set(look.issues)) for look in looks):
        yield _complaint(emitter, Finding.CLOCK_SKEW, "spans carry a clock that cannot be right", skewed)
    if broken := counted[Issue.ARGUMENTS_NOT_JSON]:
        says = "calls hold tool arguments that are not JSON"
        yield _complaint(emitter, Finding.ARGUMENTS_NOT_JSON, says, broken)
    if parts := sum(look.partial for look in looks):
        yield _complaint(emitter, Finding.INCOMPLETE, "spans have arrived only in part so far", parts)


def _delivered(emitter: Emitter) -> Iterator[Complaint]:
    if emitter.rejected:
        says = "deliveries could not be read; their reasons stand in the answers and the rejects files"
        yield _complaint(emitter, Finding.REJECTED, says, emitter.rejected, True)
    sent = emitter.accepted + emitter.duplicate
    # A file that is uploaded twice is no fault of an emitter; an event may repeat what its span says.
    streamed = emitter.source not in (Source.UPLOAD, Source.COMMAND) and emitter.format != EVENTS
    if streamed and sent and emitter.duplicate / sent > MOST_DUPLICATES:
        yield _complaint(
            emitter, Finding.DUPLICATES, "spans came more than once and were kept once", emitter.duplicate
        )


def _complaint(emitter: Emitter, finding: Finding, says: str, spans: int, grave: bool = False) -> Complaint:
    convention = "gateway" if emitter.source == Source.GATEWAY else emitter.format
    return Complaint(finding, says, spans, remedy_for(finding, convention), grave)
