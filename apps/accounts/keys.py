"""The keys of a workspace, opened once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from apps.accounts.models import Workspace, WorkspaceKey
from apps.core import encryption


class NoKeyError(Exception):
    """The workspace has no key with this number."""


@dataclass(frozen=True)
class Keyring:
    """Seals under the newest key, opens under any, digests under the first (so that digests never change)."""

    opened: tuple[tuple[int, bytes], ...]

    def seal(self, plain: bytes, *, bound_to: bytes = b"") -> bytes:
        number, key = self.opened[-1]
        return encryption.seal(key, plain, number=number, bound_to=bound_to)

    def unseal(self, record: bytes, *, bound_to: bytes = b"") -> bytes:
        key = dict(self.opened).get(encryption.key_number(record))
        if key is None:
            raise NoKeyError(f"no key number {encryption.key_number(record)}")
        return encryption.unseal(key, record, bound_to=bound_to)

    def digest(self, data: bytes) -> bytes:
        return encryption.keyed_digest(self._digest_key, data)

    @property
    def _digest_key(self) -> bytes:
        return _derived(self.opened[0][1])


@lru_cache(maxsize=256)
def _derived(key: bytes) -> bytes:
    return encryption.derive(key, "content digest")


def _master() -> bytes:
    return encryption.derive(settings.MASTER_KEY.encode(), "workspace keys")


def create_key(workspace: Workspace, number: int = 1) -> WorkspaceKey:
    sealed = encryption.seal(_master(), encryption.new_key(), bound_to=_identity(workspace.pk, number))
    return WorkspaceKey.objects.create(workspace=workspace, number=number, sealed=sealed)


def keyring(workspace_id: int) -> Keyring:
    rows = WorkspaceKey.objects.filter(workspace_id=workspace_id).values_list("number", "sealed")
    return opened_keyring(workspace_id, {number: bytes(sealed) for number, sealed in rows})


def opened_keyring(workspace_id: int, sealed: Mapping[int, bytes]) -> Keyring:
    """The keyring of a workspace whose sealed keys have been read, by number."""
    opened = tuple(
        (number, _open(bytes(record), workspace_id, number)) for number, record in sorted(sealed.items())
    )
    if not opened:
        raise NoKeyError(f"workspace {workspace_id} has no key")
    return Keyring(opened)


@lru_cache(maxsize=256)
def _open(sealed: bytes, workspace_id: int, number: int) -> bytes:
    return encryption.unseal(_master(), sealed, bound_to=_identity(workspace_id, number))


def _identity(workspace_id: int, number: int) -> bytes:
    return f"workspace:{workspace_id}:{number}".encode()
