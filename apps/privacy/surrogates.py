"""Numbered surrogates: the same value has the same one in its whole workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Max

from apps.accounts.keys import Keyring
from apps.accounts.models import Workspace
from apps.contents.services import chunks, one_writer
from apps.privacy.models import Surrogate
from slmhub.redaction import Entity

# Values remembered by one run; an agent's customers come back, but not for ever.
MOST_REMEMBERED = 200_000


@dataclass(frozen=True)
class Value:
    entity: str
    text: str

    @property
    def plain(self) -> bytes:
        """What makes two values the same: e-mail addresses do not differ by case."""
        text = self.text.casefold() if self.entity == Entity.EMAIL else self.text
        return f"{self.entity}\0{text}".encode(errors="replace")


@dataclass
class Vault:
    """The surrogates of one workspace, numbered as they are needed."""

    workspace: Workspace
    keyring: Keyring
    known: dict[bytes, Surrogate] = field(default_factory=dict)

    def learn(self, values: Iterable[Value]) -> None:
        """Gives each value its surrogate; those that nobody has seen before get the next numbers."""
        wanted = {self.digest(value): value for value in values}
        missing = {digest: value for digest, value in wanted.items() if digest not in self.known}
        if not missing:
            return
        if len(self.known) > MOST_REMEMBERED:
            # What this call is about stays; the rest is read again when it comes back.
            self.known = {digest: self.known[digest] for digest in wanted if digest in self.known}
        self._read(missing)
        missing = {digest: value for digest, value in missing.items() if digest not in self.known}
        if missing:
            self._number(missing)

    def of(self, value: Value) -> Surrogate:
        return self.known[self.digest(value)]

    def text(self, entity: str, value: str) -> str:
        """For slmhub.redaction.apply: what stands in the place of this value."""
        return self.of(Value(entity, value)).text

    def digest(self, value: Value) -> bytes:
        return self.keyring.digest(b"surrogate\0" + value.plain)

    def _read(self, digests: Collection[bytes]) -> None:
        for chunk in chunks(list(digests)):
            for row in Surrogate.objects.filter(workspace=self.workspace, digest__in=chunk).defer("sealed"):
                self.known[bytes(row.digest)] = row

    @transaction.atomic
    def _number(self, values: Mapping[bytes, Value]) -> None:
        one_writer(self.workspace)
        # Another process may have numbered some of them while this one waited.
        self._read(values)
        fresh = {digest: value for digest, value in values.items() if digest not in self.known}
        rows = Surrogate.objects.bulk_create(self._rows(fresh), batch_size=500)
        self.known.update({bytes(row.digest): row for row in rows})

    def _rows(self, values: Mapping[bytes, Value]) -> list[Surrogate]:
        last = self._last_numbers({value.entity for value in values.values()})
        rows = []
        for digest, value in values.items():
            last[value.entity] += 1
            rows.append(
                Surrogate(
                    workspace=self.workspace,
                    entity=value.entity,
                    number=last[value.entity],
                    digest=digest,
                    sealed=self.keyring.seal(value.text.encode(errors="replace"), bound_to=digest),
                )
            )
        return rows

    def _last_numbers(self, entities: Collection[str]) -> dict[str, int]:
        """One step into the index for each entity; grouped, the database would read all of them."""
        own = Surrogate.objects.filter(workspace=self.workspace)
        highest = {entity: own.filter(entity=entity).aggregate(last=Max("number")) for entity in entities}
        return {entity: found["last"] or 0 for entity, found in highest.items()}
