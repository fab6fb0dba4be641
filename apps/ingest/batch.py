"""One batch of records: what is known is passed over, the rest redacted, then stored in one transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.functions import Left

from apps.accounts.models import Agent
from apps.contents.addressing import Original
from apps.contents.models import Content
from apps.contents.services import chunks, one_writer
from apps.contents.text import preview_of
from apps.events.models import EventType
from apps.events.services import publish
from apps.ingest.completion import has_delivered
from apps.ingest.emitters import Emitters
from apps.ingest.lookup import Stored, stored
from apps.ingest.rows import Desk, Outcome, Rows
from apps.ingest.spans import Known
from apps.ingest.staging import Addresses, Staged, UnstorableError, staged
from apps.prices.book import PriceBook
from apps.privacy.redact import Draft, Redactor, Scanned, UnredactableError
from apps.traces.models import Source
from slmhub.formats import Record, Reject

# Contents and ids remembered by one run: what repeats comes back soon.
MOST_KNOWN = 100_000
# Hex ids with a letter among them are random numbers, never a value of a person.
_RANDOM_ID = re.compile(r"(?=[0-9-]*[a-f])[0-9a-f]{8}(?:-?[0-9a-f]{4}){2,6}(?:[0-9a-f]{8})?")
_THEIRS = "this span is stored already, for another agent of the workspace"


class Writer:
    """Writes batches for one agent and remembers which contents are stored already."""

    def __init__(self, agent: Agent, source: Source, emitter_hint: str = "") -> None:
        self.agent = agent
        self.workspace = agent.workspace
        self.source = source
        self.redactor = Redactor(agent.workspace)
        self.emitters = Emitters(agent, source, self.redactor.redact(emitter_hint[:120]))
        self.addresses = Addresses(self.redactor.keyring)
        self.known: dict[bytes, Known] = {}
        self.desk = Desk(agent, source, self.redactor, self.emitters, self.known, PriceBook(agent.workspace))
        self._ids: dict[str, str] = {"": ""}

    def write(self, records: Sequence[tuple[int, Record]], refused: int = 0) -> Outcome:
        """`refused` lines of the same delivery could not even be read; they count for its emitter."""
        outcome = Outcome()
        items = [staged(line, record, self.redactor.keyring) for line, record in records]
        items = self._new(self._with_ids(items, outcome), outcome)
        originals: dict[bytes, Original] = {}
        items = self._addressed(items, originals, outcome)
        drafts, items = self._drafts(originals, items, outcome)
        # Logs may come newest first; the list shows calls of one moment in the order of their rows.
        items.sort(key=lambda item: item.started_at)
        if items:
            self._commit(items, drafts, outcome, refused)
        else:
            self._count(outcome, refused)
        return outcome

    def _with_ids(self, items: list[Staged], outcome: Outcome) -> list[Staged]:
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
        scans, broken = {}, {}
        for text in list(texts):
            if _RANDOM_ID.fullmatch(text):
                self._ids[text] = text
                continue
            try:
                scans[text] = self.redactor.scan(text)
            except UnredactableError as error:
                broken[text] = error
        self.redactor.learn(scans.values())
        self._ids |= {text: self.redactor.redacted(scan) for text, scan in scans.items()}
        return broken

    def _new(self, items: list[Staged], outcome: Outcome) -> list[Staged]:
        """The items that may say something new: neither stored nor twice in this batch."""
        known = stored(self.workspace, (item.key for item in items))
        fresh, seen = [], set()
        for item in items:
            key, there = item.key, known.get(item.key)
            if there is not None and there.agent_id != self.agent.pk:
                self._refuse(item, UnstorableError(_THEIRS), outcome)
            elif (key, item.fingerprint) in seen or _is_known(item, there):
                outcome.by_emitter[self.desk.emitter_name(item)]["duplicate"] += 1
            else:
                seen.add((key, item.fingerprint))
                fresh.append(item)
        return fresh

    def _addressed(
        self, items: list[Staged], originals: dict[bytes, Original], outcome: Outcome
    ) -> list[Staged]:
        kept = []
        for item in items:
            try:
                self.addresses.take(item, originals)
                kept.append(item)
            except UnstorableError as error:
                self._refuse(item, error, outcome)
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
                details.append(self.redactor.scan(item.details))
                kept.append(item)
            except UnredactableError as error:
                self._refuse(item, error, outcome)
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

    def _commit(self, items: list[Staged], drafts: Sequence[Draft], outcome: Outcome, refused: int) -> None:
        rows = Rows(self.desk)
        try:
            with transaction.atomic():
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
            self.known[bytes(content.digest)] = Known(content.pk, preview_of(content.text))
        self._recall([bytes(draft.content.digest) for draft in drafts])

    def _publish(self, outcome: Outcome) -> None:
        accepted, completed = outcome.number("accepted"), outcome.number("completed")
        data = {"accepted": accepted, "source": self.source.value}
        if completed:
            data["completed"] = completed
        if accepted or completed:
            publish(workspace=self.workspace, type=EventType.TRACES_INGESTED, agent=self.agent, data=data)

    @transaction.atomic
    def _count(self, outcome: Outcome, refused: int) -> None:
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

    def _refuse(self, item: Staged, error: Exception, outcome: Outcome) -> None:
        outcome.rejected.append(Reject(item.line, str(error), ""))
        outcome.by_emitter[self.desk.emitter_name(item)]["rejected"] += 1


def _is_known(item: Staged, there: Stored | None) -> bool:
    return there is not None and has_delivered(there.delivered, item.fingerprint)


def _searched_ids(item: Staged) -> list[str]:
    return item.ids[item.random_ids :]
