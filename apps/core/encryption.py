"""Encryption at rest: AES-256-GCM records that name their key.

A record is `version (1) | key number (2, big endian) | nonce (12) | ciphertext and tag (16)`. The associated
data binds a record to what it belongs to, so that rows cannot be swapped.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
HEADER = 15
KEY_BYTES = 32
# What is longer is sealed in steps: one step holds up every other thread.
STEP = 1024**2


class SealBrokenError(Exception):
    """The record is damaged, belongs elsewhere, or was sealed under another key."""


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def derive(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)


def seal(key: bytes, plain: bytes, *, number: int = 1, bound_to: bytes = b"") -> bytes:
    nonce = os.urandom(12)
    head = VERSION + number.to_bytes(2, "big") + nonce
    if len(plain) <= STEP:
        return head + AESGCM(key).encrypt(nonce, plain, bound_to)
    cipher = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    cipher.authenticate_additional_data(bound_to)
    view = memoryview(plain)
    steps = [cipher.update(view[start : start + STEP]) for start in range(0, len(view), STEP)]
    return b"".join([head, *steps, cipher.finalize(), cipher.tag])


def unseal(key: bytes, record: bytes, *, bound_to: bytes = b"") -> bytes:
    if record[:1] != VERSION or len(record) < HEADER + 16:
        raise SealBrokenError("not a sealed record")
    try:
        return AESGCM(key).decrypt(record[3:HEADER], record[HEADER:], bound_to)
    except InvalidTag:
        raise SealBrokenError("the record is damaged or was sealed for something else") from None


def key_number(record: bytes) -> int:
    return int.from_bytes(record[1:3], "big")


def keyed_digest(key: bytes, data: bytes) -> bytes:
    """32 bytes; equality shows only to holders of the key."""
    return hmac.digest(key, data, hashlib.sha256)
