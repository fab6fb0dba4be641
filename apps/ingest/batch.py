"""One batch of records: what is known is passed over, the rest redacted, then stored in one transaction."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Left
from msgspec import UNSET

from apps.accounts.models import Agent
from apps.contents.addressing import Original
from apps.contents.models import Content
from apps.contents.services import chunks, one_writer
from apps.contents.text import preview_of
from apps.core.bulk import insert, update
from apps.events.services import publish
from apps.ingest import families
from apps.ingest.completion import completed, has_delivered, shows_otherwise
from apps.ingest.emitters import Emitters, Name
from apps.ingest.events import TracesIngested
from apps.ingest.introductions import Introductions
from apps.ingest.library import ContentReader
from apps.ingest.lookup import Key, Stored, stored
from apps.ingest.pending import Addresses, PendingSpan, UnstorableError, pending_span
from apps.ingest.sessions import forget, learn, sessions_for
from apps.ingest.spans import SpanContext, StoredContent, span_of
from apps.prices.book import PriceBook
from apps.privacy.redact import Draft, Payload, Redactor, UnredactableError
from apps.traces.costs import cost_of
from apps.traces.models import Source, Span
from slmhub.formats import Record, Reject

# Opens the transaction in which a batch is stored.
Commit = Callable[[], AbstractContextManager[Any]]
# Contents and ids remembered by one run: what repeats comes back soon.
MOST_KNOWN = 100_000
# Hex ids with a letter among them are random numbers, never a value of a person.
_RANDOM_ID = re.compile(r"(?=[0-9-]*[a-f])[0-9a-f]{8}(?:-?[0-9a-f]{4}){2,6}(?:[0-9a-f]{8})?")
_THEIRS = "this span is stored already, for another agent of the workspace"
_NEVER_CHANGED = {"id", "created_at", "workspace", "agent", "trace_id", "span_id", "source"}
_CHANGED = [field.name for field in Span._meta.concrete_fields if field.name not in _NEVER_CHANGED]


@dataclass
class BatchOutcome:
    """What became of a batch, counted by emitter under the names of its columns."""

    rejected: list[Reject] = field(default_factory=list)
    by_emitter: dict[Name, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def number(self, became: str) -> int:
        return sum(counts[became] for counts in self.by_emitter.values())


class Writer:
    """Writes batches for one agent and remembers which contents are stored already."""

    def __init__(
        self, agent: Agent, source: Source, emitter_hint: str = "", commit: Commit = transaction.atomic
    ) -> None:
        self.agent = agent
        self.workspace = agent.workspace
        self.source = source
        self.commit = commit
        self.redactor = Redactor(agent.workspace)
        self.emitters = Emitters(agent, source, self.redactor.redact(emitter_hint[:120]))
        self.addresses = Addresses(self.redactor.keyring)
        self.known: dict[bytes, StoredContent] = {}
        self.prices = PriceBook(agent.workspace)
        self._ids: dict[str, str] = {"": ""}

    def write(self, records: Sequence[tuple[int, Record]], refused: int = 0) -> BatchOutcome:
        """`refused` lines of the same delivery could not even be read; they count for its emitter."""
        outcome = BatchOutcome()
        items = [pending_span(line, record, self.redactor.keyring) for line, record in records]
        items = self._new(self._with_ids(items, outcome), outcome)
        originals: dict[bytes, Original] = {}
        items = self._addressed(items, originals, outcome)
        drafts, items = self._drafts(originals, items, outcome)
        # Logs may come newest first; the list shows calls of one moment in the order of their rows.
        items.sort(key=lambda item: item.started_at)
        if items:
            self._store(items, drafts, outcome, refused)
        else:
            with self.commit():
                self._count(outcome, refused)
        return outcome

    def emitter_name(self, item: PendingSpan) -> Name:
        return self.emitters.named(item.record.format, item.emitter)

    def _with_ids(self, items: list[PendingSpan], outcome: BatchOutcome) -> list[PendingSpan]:
        if len(self._ids) > MOST_KNOWN:
            self._ids = {"": ""}
        texts = dict.fromkeys(text for item in items for text in (*_searched_ids(item), item.emitter))
        broken = self._learn_ids(text for text in texts if text not in self._ids)
        kept = []
        for item in items:
            item.emitter = self._ids.get(item.emitter, "")
            if error := next((broken[text] for text in _searched_ids(item) if text in broken), None):
                self._refuse(item, error, outcome)
                continue
            item.ids[item.random_ids :] = [self._ids[text] for text in _searched_ids(item)]
            kept.append(item)
        return kept

    def _learn_ids(self, texts: Iterable[str]) -> dict[str, UnredactableError]:
        searched = []
        for text in list(texts):
            if _RANDOM_ID.fullmatch(text):
                self._ids[text] = text
            else:
                searched.append(text)
        scans, broken = self.redactor.scan_all({text: Payload(text) for text in searched})
        self.redactor.learn(scans.values())
        self._ids |= {text: self.redactor.redacted(scan) for text, scan in scans.items()}
        return broken

    def _new(self, items: list[PendingSpan], outcome: BatchOutcome) -> list[PendingSpan]:
        """The items that may say something new: neither stored nor twice in this batch."""
        known = stored(self.workspace, (item.key for item in items))
        fresh, seen = [], set()
        for item in items:
            key, there = item.key, known.get(item.key)
            if there is not None and there.agent_id != self.agent.pk:
                self._refuse(item, UnstorableError(_THEIRS), outcome)
            elif (key, item.fingerprint) in seen or _is_known(item, there):
                outcome.by_emitter[self.emitter_name(item)]["duplicate"] += 1
            else:
                seen.add((key, item.fingerprint))
                fresh.append(item)
        return fresh

    def _addressed(
        self, items: list[PendingSpan], originals: dict[bytes, Original], outcome: BatchOutcome
    ) -> list[PendingSpan]:
        kept = []
        for item in items:
            try:
                self.addresses.take(item, originals)
                kept.append(item)
            except UnstorableError as error:
                self._refuse(item, error, outcome)
        return kept

    def _drafts(
        self, originals: dict[bytes, Original], items: list[PendingSpan], outcome: BatchOutcome
    ) -> tuple[list[Draft], list[PendingSpan]]:
        """Drafts of the contents that nobody has stored, and the items that could be redacted."""
        self._recall(originals)
        fresh = [original for digest, original in originals.items() if digest not in self.known]
        # Contents and details together: the recognisers look at a whole batch at once.
        payloads: dict[bytes | int, Payload] = {
            original.digest: Payload(original.value, original.kind) for original in fresh
        }
        payloads |= {number: Payload(item.details) for number, item in enumerate(items)}
        scans, refused = self.redactor.scan_all(payloads)
        self.redactor.learn(scans.values())
        kept = []
        for number, item in enumerate(items):
            error = next((refused[key] for key in (*item.digests, number) if key in refused), None)
            if error is None:
                item.details = self.redactor.redacted(scans[number])
                kept.append(item)
            else:
                self._refuse(item, error, outcome)
        drafts = [
            self.redactor.draft(original, scans[original.digest])
            for original in fresh
            if original.digest in scans
        ]
        return drafts, kept

    def _recall(self, digests: Iterable[bytes]) -> None:
        """Reads which of these contents are stored."""
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        for chunk in chunks([digest for digest in digests if digest not in self.known]):
            rows = Content.objects.filter(workspace=self.workspace, digest__in=chunk)
            for digest, pk, text in rows.values_list("digest", "pk", Left("text", 400)):
                self.known[bytes(digest)] = StoredContent(pk, preview_of(text))

    def _store(
        self, items: list[PendingSpan], drafts: Sequence[Draft], outcome: BatchOutcome, refused: int
    ) -> None:
        rows = Rows(self)
        try:
            with self.commit():
                one_writer(self.workspace)
                self._keep(drafts)
                rows.take(items, outcome)
                rows.save()
                self._count(outcome, refused)
                self._publish(outcome)
        except BaseException:
            # The contents and emitters of this transaction are gone with it.
            for draft in drafts:
                self.known.pop(bytes(draft.content.digest), None)
            self.emitters.forget()
            raise

    def _keep(self, drafts: Sequence[Draft]) -> None:
        for content in self.redactor.store(drafts):
            self.known[bytes(content.digest)] = StoredContent(content.pk, preview_of(content.text))
        self._recall([bytes(draft.content.digest) for draft in drafts])

    def _publish(self, outcome: BatchOutcome) -> None:
        accepted, completed = outcome.number("accepted"), outcome.number("completed")
        if accepted or completed:
            fact = TracesIngested(accepted=accepted, source=self.source.value, completed=completed or UNSET)
            publish(fact, workspace=self.workspace, agent=self.agent)

    def _count(self, outcome: BatchOutcome, refused: int) -> None:
        """What became of the batch, by emitter; lines that could not be read count for its commonest one."""
        counts = outcome.by_emitter
        if refused:
            commonest = max(
                counts, key=lambda name: counts[name].total(), default=self.emitters.named("", "")
            )
            counts[commonest]["rejected"] += refused
        self.emitters.learn(counts)
        for name, counted in counts.items():
            self.emitters.count(name, counted)

    def _refuse(self, item: PendingSpan, error: Exception, outcome: BatchOutcome) -> None:
        outcome.rejected.append(Reject(item.line, str(error), ""))
        outcome.by_emitter[self.emitter_name(item)]["rejected"] += 1


def _is_known(item: PendingSpan, there: Stored | None) -> bool:
    return there is not None and has_delivered(there.delivered, item.fingerprint)


def _searched_ids(item: PendingSpan) -> list[str]:
    return item.ids[item.random_ids :]


class Rows:
    """The rows of one batch, inside its transaction: `take` works everything out, `save` writes it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.library = ContentReader(writer.redactor)
        self.fresh: dict[Key, Span] = {}
        # Stored spans that changed, by id, and those of them whose session reads differently now.
        self.changed: dict[int, Span] = {}
        self.revised: dict[int, Span] = {}
        self.left: set[int] = set()

    def take(self, items: Sequence[PendingSpan], outcome: BatchOutcome) -> None:
        writer = self.writer
        known = self._known(items)
        sessions = sessions_for(writer.agent, items)
        emitters = writer.emitters.learn({writer.emitter_name(item) for item in items})
        for item in items:
            name = writer.emitter_name(item)
            context = SpanContext(writer.agent, writer.source, sessions.get(item.session), emitters[name])
            try:
                became = self._take(item.key, span_of(item, context, writer.known), known)
            except UnstorableError as error:
                became = "rejected"
                outcome.rejected.append(Reject(item.line, str(error), ""))
            outcome.by_emitter[name][became] += 1
        self._settle_families()
        self._price()
        learn(sessions.values(), [*self.fresh.values(), *self.changed.values()])

    def save(self) -> None:
        introductions = Introductions(self.writer.agent)
        introductions.of(self.fresh.values(), list(self.revised.values()), self.left)
        insert(list(self.fresh.values()))
        update(list(self.changed.values()), _CHANGED)
        introductions.save()
        forget(self.left)

    def _known(self, items: Sequence[PendingSpan]) -> dict[Key, Span]:
        """Stored spans of these keys; another process may have stored them since the first look."""
        there = stored(self.writer.agent.workspace, (item.key for item in items))
        pks = [row.pk for row in there.values()]
        spans = [span for chunk in chunks(pks) for span in Span.objects.filter(pk__in=chunk)]
        return {(span.trace_id, span.span_id): span for span in spans}

    def _take(self, key: Key, part: Span, known: dict[Key, Span]) -> str:
        """What became of the part, by the names of an emitter's counts."""
        row = self.fresh.get(key) or known.get(key)
        if row is None:
            self.fresh[key] = part
            return "accepted"
        is_theirs = row.agent_id != self.writer.agent.pk
        if is_theirs or has_delivered(bytes(row.delivered), bytes(part.delivered)):
            return "duplicate"
        was_in = row.session_id
        changes = completed(row, part, self.library)
        if row.pk:
            self._mark_changed(row, was_in, shows_otherwise(changes))
        return "completed" if changes else "duplicate"

    def _mark_changed(self, row: Span, was_in: int | None, shows: bool) -> None:
        self.changed[row.pk] = row
        if shows:
            self.revised[row.pk] = row
        if was_in is not None and was_in != row.session_id:
            self.left.add(was_in)

    def _price(self) -> None:
        for span in (*self.fresh.values(), *self.changed.values()):
            if span.cost is None or span.cost_computed:
                span.cost = cost_of(self.writer.prices, span)
                span.cost_computed = span.cost is not None

    def _settle_families(self) -> None:
        touched = [*self.fresh.values(), *self.changed.values()]
        for change in families.settled(self.writer.agent, touched):
            if change.span.pk:
                self._mark_changed(change.span, change.was_in, True)
