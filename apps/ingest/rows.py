"""The rows of one batch, inside its transaction: new ones made, known ones completed, families settled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.accounts.models import Agent
from apps.contents.services import chunks
from apps.core.bulk import insert, update
from apps.ingest import families
from apps.ingest.completion import completed, has_delivered, shows_otherwise
from apps.ingest.emitters import Emitters, Name
from apps.ingest.introductions import Introductions
from apps.ingest.library import StoredContents
from apps.ingest.lookup import Key, stored
from apps.ingest.sessions import forget, learn, sessions_for
from apps.ingest.spans import Known, Place, span_of
from apps.ingest.staging import Staged, UnstorableError
from apps.prices.book import PriceBook
from apps.privacy.redact import Redactor
from apps.traces.costs import cost_of
from apps.traces.models import Source, Span
from slmhub.formats import Reject

_NEVER_CHANGED = {"id", "created_at", "workspace", "agent", "trace_id", "span_id", "source"}
_CHANGED = [field.name for field in Span._meta.concrete_fields if field.name not in _NEVER_CHANGED]


@dataclass
class Outcome:
    """What became of a batch, counted by emitter under the names of its columns."""

    rejected: list[Reject] = field(default_factory=list)
    by_emitter: dict[Name, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def number(self, became: str) -> int:
        return sum(counts[became] for counts in self.by_emitter.values())


@dataclass(frozen=True)
class Desk:
    """What one run works with from batch to batch; `known` are stored contents by address."""

    agent: Agent
    source: Source
    redactor: Redactor
    emitters: Emitters
    known: dict[bytes, Known]
    prices: PriceBook

    def emitter_name(self, item: Staged) -> Name:
        return self.emitters.named(item.record.format, item.emitter)


class Rows:
    """`take` works everything out, `save` writes it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.library = StoredContents(desk.redactor)
        self.fresh: dict[Key, Span] = {}
        # Stored spans that changed, by id, and those of them whose session reads differently now.
        self.changed: dict[int, Span] = {}
        self.revised: dict[int, Span] = {}
        self.left: set[int] = set()

    def take(self, items: Sequence[Staged], outcome: Outcome) -> None:
        desk = self.desk
        known = self._known(items)
        sessions = sessions_for(desk.agent, items)
        emitters = desk.emitters.learn({desk.emitter_name(item) for item in items})
        for item in items:
            name = desk.emitter_name(item)
            place = Place(desk.agent, desk.source, sessions.get(item.session), emitters[name])
            try:
                became = self._take(item.key, span_of(item, place, desk.known), known)
            except UnstorableError as error:
                became = "rejected"
                outcome.rejected.append(Reject(item.line, str(error), ""))
            outcome.by_emitter[name][became] += 1
        self._settle_families()
        self._price()
        learn(sessions.values(), [*self.fresh.values(), *self.changed.values()])

    def save(self) -> None:
        introductions = Introductions(self.desk.agent)
        introductions.of(self.fresh.values(), list(self.revised.values()), self.left)
        insert(list(self.fresh.values()))
        update(list(self.changed.values()), _CHANGED)
        introductions.save()
        forget(self.left)

    def _known(self, items: Sequence[Staged]) -> dict[Key, Span]:
        """Stored spans of these keys; another process may have stored them since the first look."""
        there = stored(self.desk.agent.workspace, (item.key for item in items))
        pks = [row.pk for row in there.values()]
        spans = [span for chunk in chunks(pks) for span in Span.objects.filter(pk__in=chunk)]
        return {(span.trace_id, span.span_id): span for span in spans}

    def _take(self, key: Key, part: Span, known: dict[Key, Span]) -> str:
        """What became of the part, by the names of an emitter's counts."""
        row = self.fresh.get(key) or known.get(key)
        if row is None:
            self.fresh[key] = part
            return "accepted"
        is_theirs = row.agent_id != self.desk.agent.pk
        if is_theirs or has_delivered(bytes(row.delivered), bytes(part.delivered)):
            return "duplicate"
        was_in = row.session_id
        changes = completed(row, part, self.library)
        if row.pk:
            self._note(row, was_in, shows_otherwise(changes))
        return "completed" if changes else "duplicate"

    def _note(self, row: Span, was_in: int | None, shows: bool) -> None:
        self.changed[row.pk] = row
        if shows:
            self.revised[row.pk] = row
        if was_in is not None and was_in != row.session_id:
            self.left.add(was_in)

    def _price(self) -> None:
        for span in (*self.fresh.values(), *self.changed.values()):
            if span.cost is None or span.cost_computed:
                span.cost = cost_of(self.desk.prices, span)
                span.cost_computed = span.cost is not None

    def _settle_families(self) -> None:
        touched = [*self.fresh.values(), *self.changed.values()]
        for change in families.settled(self.desk.agent, touched):
            if change.span.pk:
                self._note(change.span, change.was_in, True)
