"""Canonical bytes, addresses and sealed originals of contents."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from apps.accounts.keys import Keyring
from apps.contents.models import Content, ContentKind
from apps.core.errors import HubError

_CANONICAL = orjson.OPT_SORT_KEYS
# Sealing does not shrink; what is longer than this is packed first.
_PACK_FROM = 200
_PACKED, _PLAIN = b"z", b"p"


class OriginalNotStoredError(HubError):
    """The original was never stored or its retention time is over."""

    status = 409


@dataclass(frozen=True)
class Original:
    """A message or a tool set as it was sent, with its JSON and its address."""

    kind: ContentKind
    value: Any
    plain: bytes
    digest: bytes


def canonical(value: Any) -> bytes:
    """The same bytes for equal JSON values, whatever the order of their keys. Raises TypeError."""
    return orjson.dumps(value, option=_CANONICAL)


def address(keyring: Keyring, kind: ContentKind, plain: bytes) -> bytes:
    """32 bytes that name this content in its workspace and nowhere else."""
    return keyring.digest(kind.encode() + b"\0" + plain)


def seal_original(keyring: Keyring, original: Original) -> bytes:
    """What was sent, sealed and bound to its address."""
    plain = original.plain
    packed = _PACKED + zlib.compress(plain, 6) if len(plain) >= _PACK_FROM else _PLAIN + plain
    return keyring.seal(packed, bound_to=original.digest)


def open_original(keyring: Keyring, content: Content) -> Any:
    """What was sent. Raises OriginalNotStoredError."""
    if not content.original:
        raise OriginalNotStoredError(
            "The original of this text is not stored, so it cannot be shown again.",
            hint="It was never kept, or its retention time is over.",
        )
    packed = keyring.unseal(bytes(content.original), bound_to=bytes(content.digest))
    return orjson.loads(zlib.decompress(packed[1:]) if packed[:1] == _PACKED else packed[1:])
