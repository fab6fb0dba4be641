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


class Found(NamedTuple):
    """What is wrong, and on how many spans."""

    finding: Finding
    says: str
    spans: int
    grave: bool = False


@dataclass(frozen=True)
class Complaint:
    """One thing to mend: what was found, on how many of the spans or calls that were judged, the setting."""

    finding: Finding
    says: str
    spans: int
    of: int
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
        Finding.NO_MESSAGES: ("messages", "No messages: nothing can be learnt from such calls"),
        Finding.NO_USAGE: ("usage", "No token counts, hence no cost"),
        Finding.NO_SESSION: ("session", "No session: data cannot be split by session"),
        Finding.NO_LATENCY: ("latency", "No duration"),
        Finding.NO_USER: ("user", "No user"),
    }
    off = sum(Issue.CONTENT_OFF in look.issues for look in calls)
    for finding, (name, says) in named.items():
        share = having[name]
        if share.of and share.value < ENOUGH[finding] and not (finding is Finding.NO_MESSAGES and off):
            found = Found(finding, says, share.of - share.having, finding is Finding.NO_MESSAGES)
            yield _complaint(emitter, found, share.of)
    untold = sum(look.action.startswith("tool:") and not look.tools_id for look in calls)
    if untold:
        yield _complaint(emitter, Found(Finding.NO_TOOLS, "Tools used but not defined", untold), len(calls))


def _odd(emitter: Emitter, looks: list[Look]) -> Iterator[Complaint]:
    seen = Counter(issue for look in looks for issue in look.issues)
    lost = [look.dropped_attributes for look in looks if look.dropped_attributes]
    skewed = sum(bool(_CLOCKS & set(look.issues)) for look in looks)
    limits = f"Attributes lost to the emitter's own limits: {sum(lost):,}"
    double = "Model spans around model spans; only the inner ones are counted"
    off = "No text: it is switched off at the source"
    for found in (
        Found(Finding.CONTENT_OFF, off, seen[Issue.CONTENT_OFF], grave=True),
        Found(Finding.ATTRIBUTES_DROPPED, limits, len(lost), grave=True),
        Found(Finding.TRUNCATED, "Payloads that end in the middle", seen[Issue.TRUNCATED], grave=True),
        Found(Finding.DOUBLE_COUNT, double, seen[Issue.WRAPS_MODEL_CALL]),
        Found(Finding.CLOCK_SKEW, "A clock that cannot be right", skewed),
        Found(Finding.ARGUMENTS_NOT_JSON, "Tool arguments that are no JSON", seen[Issue.ARGUMENTS_NOT_JSON]),
        Found(Finding.INCOMPLETE, "Arrived only in part so far", sum(look.partial for look in looks)),
    ):
        if found.spans:
            yield _complaint(emitter, found, len(looks))


def _delivered(emitter: Emitter) -> Iterator[Complaint]:
    sent = emitter.accepted + emitter.duplicate
    if emitter.rejected:
        says = "Refused; the reasons stand in the answers, in the rejects files and in the hub's log"
        yield _complaint(
            emitter, Found(Finding.REJECTED, says, emitter.rejected, grave=True), sent + emitter.rejected
        )
    # A file that is uploaded twice is no fault of an emitter; an event may repeat what its span says.
    streamed = emitter.source not in (Source.UPLOAD, Source.COMMAND) and emitter.format != EVENTS
    if streamed and sent and emitter.duplicate / sent > MOST_DUPLICATES:
        yield _complaint(
            emitter, Found(Finding.DUPLICATES, "Sent more than once, kept once", emitter.duplicate), sent
        )


def _complaint(emitter: Emitter, found: Found, of: int) -> Complaint:
    convention = "gateway" if emitter.source == Source.GATEWAY else emitter.format
    remedy = remedy_for(found.finding, convention)
    return Complaint(found.finding, found.says, found.spans, of, remedy, found.grave)
