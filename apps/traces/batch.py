"""One batch of records: duplicates out, what is new redacted, then everything in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.functions import Left

from apps.accounts.models import Agent
from apps.contents.addressing import Original
from apps.contents.models import Content
from apps.contents.services import CHUNK, chunks, one_writer
from apps.events.models import EventType
from apps.events.services import publish
from apps.privacy.redact import Draft, Redactor, Scanned, UnredactableError
from apps.traces.models import Introduction, Session, Source, Span
from apps.traces.sessions import sessions_for
from apps.traces.spans import Known, Place, preview_of, span_of
from apps.traces.staging import Staged, UnstorableError, addressed, details_of, staged, started_at
from slmhub.formats import Record, Reject

# Contents remembered by one run: what repeats comes back soon.
MOST_KNOWN = 100_000


@dataclass
class Outcome:
    accepted: int = 0
    duplicate: int = 0
    rejected: list[Reject] = field(default_factory=list)


class Writer:
    """Writes batches for one agent and remembers which contents are stored already."""

    def __init__(self, agent: Agent, source: Source) -> None:
        self.agent = agent
        self.workspace = agent.workspace
        self.source = source
        self.redactor = Redactor(agent.workspace)
        self.known: dict[bytes, Known] = {}

    def write(self, records: Sequence[tuple[int, Record]]) -> Outcome:
        outcome = Outcome()
        items = self._with_ids([staged(line, record) for line, record in records], outcome)
        items = self._without_duplicates(items, outcome)
        originals: dict[bytes, Original] = {}
        items = self._addressed(items, originals, outcome)
        drafts, items = self._drafts(originals, items, outcome)
        # Logs may come newest first; within a session the earlier call introduces its messages.
        items.sort(key=lambda item: started_at(item.record))
        if items:
            self._commit(items, drafts, outcome)
        return outcome

    def _with_ids(self, items: list[Staged], outcome: Outcome) -> list[Staged]:
        scans = []
        kept = []
        for item in items:
            try:
                scans.append(self.redactor.scan(item.ids))
                kept.append(item)
            except UnredactableError as error:
                outcome.rejected.append(_reject(item, error))
        self.redactor.learn(scans)
        for item, scan in zip(kept, scans, strict=True):
            item.ids = self.redactor.redacted(scan)
        return kept

    def _without_duplicates(self, items: list[Staged], outcome: Outcome) -> list[Staged]:
        fresh: dict[tuple[str, str], Staged] = {}
        stored = self._stored_keys(items)
        for item in items:
            if item.key in stored or item.key in fresh:
                outcome.duplicate += 1
            else:
                fresh[item.key] = item
        return list(fresh.values())

    def _stored_keys(self, items: Sequence[Staged]) -> set[tuple[str, str]]:
        traces = sorted({item.key[0] for item in items})
        return {
            key
            for chunk in chunks(traces)
            for key in Span.objects.filter(workspace=self.workspace, trace_id__in=chunk).values_list(
                "trace_id", "span_id"
            )
        }

    def _addressed(
        self, items: list[Staged], originals: dict[bytes, Original], outcome: Outcome
    ) -> list[Staged]:
        kept = []
        for item in items:
            try:
                addressed(item, self.redactor.keyring, originals)
                kept.append(item)
            except UnstorableError as error:
                outcome.rejected.append(_reject(item, error))
        return kept

    def _drafts(
        self, originals: dict[bytes, Original], items: list[Staged], outcome: Outcome
    ) -> tuple[list[Draft], list[Staged]]:
        """Drafts of the contents that nobody has stored, and the items that could be redacted."""
        self._recall(originals)
        scans, broken = self._scanned(originals[digest] for digest in originals if digest not in self.known)
        kept, details = [], []
        for item in items:
            try:
                if reason := next((broken[digest] for digest in item.digests if digest in broken), None):
                    raise reason
                details.append(self.redactor.scan(details_of(item.record)))
                kept.append(item)
            except UnredactableError as error:
                outcome.rejected.append(_reject(item, error))
        self.redactor.learn([*scans.values(), *details])
        for item, scan in zip(kept, details, strict=True):
            item.details = self.redactor.redacted(scan)
        return [self.redactor.draft(originals[digest], scan) for digest, scan in scans.items()], kept

    def _scanned(
        self, originals: Iterable[Original]
    ) -> tuple[dict[bytes, Scanned], dict[bytes, UnredactableError]]:
        scans, broken = {}, {}
        for original in originals:
            try:
                scans[original.digest] = self.redactor.scan(original.value, kind=original.kind)
            except UnredactableError as error:
                broken[original.digest] = error
        return scans, broken

    def _recall(self, digests: Iterable[bytes]) -> None:
        """Reads which of these contents are stored."""
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        for chunk in chunks([digest for digest in digests if digest not in self.known]):
            rows = Content.objects.filter(workspace=self.workspace, digest__in=chunk)
            for digest, pk, text in rows.values_list("digest", "pk", Left("text", 400)):
                self.known[bytes(digest)] = Known(pk, preview_of(text))

    def _commit(self, items: list[Staged], drafts: Sequence[Draft], outcome: Outcome) -> None:
        known = dict(self.known)
        with transaction.atomic():
            one_writer(self.workspace)
            # Another process may have delivered the same calls or texts since the first look.
            fresh = self._without_duplicates(items, outcome)
            for content in self.redactor.store(drafts):
                self.known[bytes(content.digest)] = Known(content.pk, preview_of(content.text))
            self._recall([bytes(draft.content.digest) for draft in drafts])
            try:
                self._insert(fresh)
            except BaseException:
                # The contents of this transaction are gone with it.
                self.known = known
                raise
        outcome.accepted += len(fresh)

    def _insert(self, items: list[Staged]) -> None:
        if not items:
            return
        sessions = sessions_for(self.agent, items)
        shown = self._shown(items, sessions)
        spans, introduced = [], []
        for item in items:
            session = sessions.get(item.session)
            place = Place(self.agent, self.source, session)
            span = span_of(item, place, self.known)
            seen = shown.setdefault(session.pk if session else None, set())
            introduced.append(_introduce(span, seen))
            spans.append(span)
        Span.objects.bulk_create(spans, batch_size=CHUNK)
        rows = [
            Introduction(span=span, content_id=content_id, position=position)
            for span, fresh in zip(spans, introduced, strict=True)
            for content_id, position in fresh
        ]
        Introduction.objects.bulk_create(rows, batch_size=CHUNK)
        data = {"accepted": len(spans), "source": self.source.value}
        publish(workspace=self.workspace, type=EventType.TRACES_INGESTED, agent=self.agent, data=data)

    def _shown(self, items: Sequence[Staged], sessions: dict[str, Session]) -> dict[int | None, set[int]]:
        """Contents that each session has shown; under None those that any call of this agent has shown."""
        shown: dict[int | None, set[int]] = {}
        pks = [session.pk for session in sessions.values()]
        for chunk in chunks(pks):
            rows = Introduction.objects.filter(span__session__in=chunk).values_list(
                "span__session", "content"
            )
            for session_id, content_id in rows:
                shown.setdefault(session_id, set()).add(content_id)
        loose = {self.known[digest].pk for item in items if not item.session for digest in item.digests}
        for chunk in chunks(sorted(loose)):
            seen = Introduction.objects.filter(content__in=chunk, span__agent=self.agent, span__session=None)
            shown.setdefault(None, set()).update(seen.values_list("content", flat=True))
        return shown


def _introduce(span: Span, seen: set[int]) -> list[tuple[int, int]]:
    """(content, position) of what this call shows first; sets `new_from`, adds to `seen`."""
    fresh: dict[int, int] = {}
    for position, content_id in enumerate(span.message_ids):
        if content_id not in seen:
            fresh.setdefault(content_id, position)
    span.new_from = min(fresh.values(), default=len(span.message_ids)) if span.session_id else 0
    if span.output_id is not None and span.output_id not in seen:
        fresh.setdefault(span.output_id, len(span.message_ids))
    seen.update(fresh)
    return list(fresh.items())


def _reject(item: Staged, error: Exception) -> Reject:
    return Reject(item.line, str(error), "")
