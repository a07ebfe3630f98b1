"""Envelope encryption (AES-256-GCM, NIST SP 800-38D): a data key per secret, wrapped by a key file.

A sealed secret is bytes::

    version      1 byte    1
    id length    1 byte
    key id       n bytes   which key of the key file wraps the data key
    wrap nonce  12 bytes
    data key    48 bytes   32 + 16 of tag, under the key-encryption key
    nonce       12 bytes
    ciphertext   n bytes   the secret and 16 of tag, under the data key

Both layers authenticate version, key id, target and field, so that a sealed secret moved to another
row, or to another field of its row, does not open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ibs_notify.domain.errors import FailedPrecondition, Internal, InvalidArgument, Reason
from ibs_notify.secrets import key_file

_VERSION: Final = 1
_NONCE: Final = 12
_TAG: Final = 16
_WRAPPED: Final = key_file.KEY_BYTES + _TAG


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The parts of a sealed secret."""

    key_id: bytes
    wrap_nonce: bytes
    wrapped: bytes
    nonce: bytes
    ciphertext: bytes

    def pack(self) -> bytes:
        head = bytes((_VERSION, len(self.key_id))) + self.key_id
        return head + self.wrap_nonce + self.wrapped + self.nonce + self.ciphertext

    @classmethod
    def unpack(cls, sealed: bytes) -> _Sealed | None:
        """The parts, or None for bytes that are no sealed secret of this version."""
        if len(sealed) < 2 or sealed[0] != _VERSION:
            return None
        wrap_nonce = 2 + sealed[1]
        wrapped = wrap_nonce + _NONCE
        nonce = wrapped + _WRAPPED
        ciphertext = nonce + _NONCE
        if len(sealed) < ciphertext + _TAG:
            return None
        return cls(
            sealed[2:wrap_nonce],
            sealed[wrap_nonce:wrapped],
            sealed[wrapped:nonce],
            sealed[nonce:ciphertext],
            sealed[ciphertext:],
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a key file, newest first: the first one seals, any of them opens."""

    keys: tuple[key_file.Key, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a keyring needs a key")

    @property
    def key_id(self) -> str:
        """The id of the key that seals."""
        return self.keys[0].key_id

    def seal(self, plaintext: str | bytes, *, target_uid: str, field: str) -> bytes:
        """Encrypt ``plaintext`` (UTF-8) for one field of one target.

        The same text sealed twice gives different bytes. Raises InvalidArgument for bytes that are
        not UTF-8, since ``open`` gives text.
        """
        secret = plaintext.encode() if isinstance(plaintext, str) else _checked_utf8(plaintext)
        key = self.keys[0]
        key_id = key.key_id.encode()
        data_key = AESGCM.generate_key(bit_length=256)
        wrap_nonce, nonce = os.urandom(_NONCE), os.urandom(_NONCE)
        wrap_aad, aad = _bindings(key_id, target_uid, field)
        wrapped = AESGCM(key.material).encrypt(wrap_nonce, data_key, wrap_aad)
        ciphertext = AESGCM(data_key).encrypt(nonce, secret, aad)
        return _Sealed(key_id, wrap_nonce, wrapped, nonce, ciphertext).pack()

    def open(self, sealed: bytes, *, target_uid: str, field: str) -> str:
        """Decrypt what ``seal`` made for the same target and field.

        Raises Internal when the bytes were changed or belong elsewhere, FailedPrecondition when the
        key file does not hold their key. No error contains any part of the secret.
        """
        parts = _Sealed.unpack(sealed)
        if parts is None:
            raise _cannot_open(target_uid, field)
        key = next((key for key in self.keys if key.key_id.encode() == parts.key_id), None)
        if key is None:
            raise FailedPrecondition(
                Reason.INTERNAL,
                f"the secret {field!r} of target {target_uid} was sealed with a key "
                "that the key file does not hold",
                advice="use the key file that the secret was saved with, or give the secret again",
            )
        wrap_aad, aad = _bindings(parts.key_id, target_uid, field)
        try:
            data_key = AESGCM(key.material).decrypt(parts.wrap_nonce, parts.wrapped, wrap_aad)
            return AESGCM(data_key).decrypt(parts.nonce, parts.ciphertext, aad).decode()
        except InvalidTag:
            raise _cannot_open(target_uid, field) from None


def load(path: Path) -> Keyring:
    """The keyring of an existing key file.

    Raises FailedPrecondition when the file is missing, malformed, or may be read by others.
    """
    return Keyring(key_file.read(path))


def load_or_create(path: Path) -> Keyring:
    """The keyring of ``path``; where there is no such file, one is made with one new key.

    Several processes may call this at once: one of them creates the file, all read the same keys.
    """
    if not path.exists():
        key_file.create(path)
    return load(path)


def _bindings(key_id: bytes, target_uid: str, field: str) -> tuple[bytes, bytes]:
    bound = _packed((bytes((_VERSION,)), key_id, target_uid.encode(), field.encode()))
    return b"data-key" + bound, b"secret" + bound


def _packed(parts: Sequence[bytes]) -> bytes:
    # Lengths before parts: ("ab", "c") and ("a", "bc") must differ.
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _checked_utf8(plaintext: bytes) -> bytes:
    try:
        plaintext.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(Reason.FIELD_INVALID, "a secret must be UTF-8 text") from None
    return plaintext


def _cannot_open(target_uid: str, field: str) -> Internal:
    return Internal(
        Reason.INTERNAL,
        f"the stored secret {field!r} of target {target_uid} cannot be opened: "
        "it was changed, or it belongs to another target or field",
        advice="give the secret again with target update",
    )
