"""Envelope encryption (AES-256-GCM, NIST SP 800-38D): a data key per secret, wrapped by a key file.

A sealed secret is bytes::

    version      1 byte    2
    id length    1 byte
    key id       n bytes   which key of the key file wraps the data key
    wrap nonce  12 bytes
    data key    48 bytes   32 + 16 of tag, under the key-encryption key
    nonce       12 bytes
    ciphertext   n bytes   the secret and 16 of tag, under the data key

Both layers authenticate version, target and field, so that a sealed secret moved to another row, or
to another field of its row, does not open; the wrapping authenticates the key id as well. Another
key seals a secret anew by wrapping its data key: the secret itself stays as it is, and closed. In
version 1 the inner layer was bound to the key id too; it opens, and becomes 2 when it is rewrapped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ibs_notify.domain.errors import FailedPrecondition, Internal, InvalidArgument, Reason
from ibs_notify.secrets.key_file import KEY_BYTES, Key

_VERSION: Final = 2
_BOUND_TO_KEY: Final = 1
_NONCE: Final = 12
_TAG: Final = 16
_WRAPPED: Final = KEY_BYTES + _TAG
HEAD_BYTES: Final = 2 + 255


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The parts of a sealed secret."""

    version: int
    key_id: bytes
    wrap_nonce: bytes
    wrapped: bytes
    nonce: bytes
    ciphertext: bytes

    def pack(self) -> bytes:
        head = bytes((self.version, len(self.key_id))) + self.key_id
        return head + self.wrap_nonce + self.wrapped + self.nonce + self.ciphertext

    @classmethod
    def unpack(cls, sealed: bytes) -> _Sealed | None:
        """The parts, or None for bytes that are no sealed secret of a known version."""
        if len(sealed) < 2 or sealed[0] not in (_BOUND_TO_KEY, _VERSION):
            return None
        wrap_nonce = 2 + sealed[1]
        wrapped = wrap_nonce + _NONCE
        nonce = wrapped + _WRAPPED
        ciphertext = nonce + _NONCE
        if len(sealed) < ciphertext + _TAG:
            return None
        return cls(
            sealed[0],
            sealed[2:wrap_nonce],
            sealed[wrap_nonce:wrapped],
            sealed[wrapped:nonce],
            sealed[nonce:ciphertext],
            sealed[ciphertext:],
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a key file, newest first: the first one seals, any of them opens."""

    keys: tuple[Key, ...] = field(repr=False)

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
        data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(_NONCE)
        _, aad = _bindings(_VERSION, b"", target_uid, field)
        ciphertext = AESGCM(data_key).encrypt(nonce, secret, aad)
        parts = _Sealed(_VERSION, b"", b"", b"", nonce, ciphertext)
        return self._wrapped(parts, data_key, target_uid, field).pack()

    def open(self, sealed: bytes, *, target_uid: str, field: str) -> str:
        """Decrypt what ``seal`` made for the same target and field.

        Raises Internal when the bytes were changed or belong elsewhere, FailedPrecondition when the
        key file does not hold their key. No error contains any part of the secret.
        """
        parts = _unpacked(sealed, target_uid, field)
        data_key = self._data_key(parts, target_uid, field)
        _, aad = _bindings(parts.version, parts.key_id, target_uid, field)
        try:
            return AESGCM(data_key).decrypt(parts.nonce, parts.ciphertext, aad).decode()
        except InvalidTag:
            raise _cannot_open(target_uid, field) from None

    def rewrap(self, sealed: bytes, *, target_uid: str, field: str) -> bytes:
        """The same secret under the newest key, without decrypting it. Raises as ``open`` does."""
        parts = _unpacked(sealed, target_uid, field)
        if parts.version == _BOUND_TO_KEY:
            secret = self.open(sealed, target_uid=target_uid, field=field)
            return self.seal(secret, target_uid=target_uid, field=field)
        data_key = self._data_key(parts, target_uid, field)
        return self._wrapped(parts, data_key, target_uid, field).pack()

    def _wrapped(self, parts: _Sealed, data_key: bytes, target_uid: str, field: str) -> _Sealed:
        key, wrap_nonce = self.keys[0], os.urandom(_NONCE)
        wrap_aad, _ = _bindings(parts.version, key.key_id.encode(), target_uid, field)
        wrapped = AESGCM(key.material).encrypt(wrap_nonce, data_key, wrap_aad)
        return replace(parts, key_id=key.key_id.encode(), wrap_nonce=wrap_nonce, wrapped=wrapped)

    def _data_key(self, parts: _Sealed, target_uid: str, field: str) -> bytes:
        key = next((key for key in self.keys if key.key_id.encode() == parts.key_id), None)
        if key is None:
            raise FailedPrecondition(
                Reason.INTERNAL,
                f"the secret {field!r} of target {target_uid} was sealed with the key "
                f"{_shown(parts.key_id)}, which the key file does not hold",
                advice="use the key file that the secret was saved with, or give the secret again",
            )
        wrap_aad, _ = _bindings(parts.version, parts.key_id, target_uid, field)
        try:
            return AESGCM(key.material).decrypt(parts.wrap_nonce, parts.wrapped, wrap_aad)
        except InvalidTag:
            raise _cannot_open(target_uid, field) from None


def head_of(key_id: str) -> bytes:
    """How everything begins that ``seal`` and ``rewrap`` make with a key."""
    return bytes((_VERSION, len(key_id))) + key_id.encode()


def key_id_of(sealed: bytes) -> str:
    """Which key opens ``sealed``, of which its first ``HEAD_BYTES`` are enough.

    Empty for bytes that are no sealed secret.
    """
    if len(sealed) < 2 or sealed[0] not in (_BOUND_TO_KEY, _VERSION):
        return ""
    return _shown(sealed[2 : 2 + sealed[1]])


def is_same_secret(one: bytes, other: bytes) -> bool:
    """Whether these are the same sealed secret, perhaps wrapped by different keys."""
    if one == other:
        return True
    first, second = _Sealed.unpack(one), _Sealed.unpack(other)
    if first is None or second is None:
        return False
    # The nonce is drawn once for each secret, and neither changes with the key.
    return (first.nonce, first.ciphertext) == (second.nonce, second.ciphertext)


def _unpacked(sealed: bytes, target_uid: str, field: str) -> _Sealed:
    parts = _Sealed.unpack(sealed)
    if parts is None:
        raise _cannot_open(target_uid, field)
    return parts


def _bindings(version: int, key_id: bytes, target_uid: str, field: str) -> tuple[bytes, bytes]:
    """What is authenticated of a wrapped data key, and of a secret."""
    place = (target_uid.encode(), field.encode())
    bound_to_key = _packed((bytes((version,)), key_id, *place))
    inner = bound_to_key if version == _BOUND_TO_KEY else _packed((bytes((version,)), *place))
    return b"data-key" + bound_to_key, b"secret" + inner


def _packed(parts: Sequence[bytes]) -> bytes:
    # Lengths before parts: ("ab", "c") and ("a", "bc") must differ.
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _checked_utf8(plaintext: bytes) -> bytes:
    try:
        plaintext.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(Reason.FIELD_INVALID, "a secret must be UTF-8 text") from None
    return plaintext


def _shown(key_id: bytes) -> str:
    return key_id.decode("ascii", errors="replace")


def _cannot_open(target_uid: str, field: str) -> Internal:
    return Internal(
        Reason.INTERNAL,
        f"the stored secret {field!r} of target {target_uid} cannot be opened: "
        "it was changed, or it belongs to another target or field",
        advice="give the secret again with target update",
    )
