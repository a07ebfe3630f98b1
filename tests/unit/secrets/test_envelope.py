"""Sealed secrets open for their own target and field, and for nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.errors import FailedPrecondition, Internal, InvalidArgument
from ibs_notify.secrets.envelope import Keyring, head_of, is_same_secret, key_id_of
from ibs_notify.secrets.key_file import Key

CANARY = "canary-7f3a-hunter2"
OLD, NEW = Key("k-old", bytes(range(32))), Key("k-new", bytes(range(32, 64)))
KEYRING = Keyring((NEW, OLD))


def sealed(keyring: Keyring = KEYRING) -> bytes:
    return keyring.seal(CANARY, target_uid="t-1", field="password")


@given(st.text(), st.text(), st.text())
def test_what_was_sealed_opens_again(text: str, target: str, field: str) -> None:
    record = KEYRING.seal(text, target_uid=target, field=field)
    assert KEYRING.open(record, target_uid=target, field=field) == text


def test_bytes_open_as_text() -> None:
    record = KEYRING.seal("grün".encode(), target_uid="t-1", field="password")
    assert KEYRING.open(record, target_uid="t-1", field="password") == "grün"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        KEYRING.seal(b"\xff", target_uid="t-1", field="password")


def test_the_same_secret_sealed_twice_gives_different_bytes() -> None:
    assert sealed() != sealed()


def test_a_sealed_secret_does_not_show_its_text() -> None:
    assert CANARY.encode() not in sealed()


@pytest.mark.parametrize("at", range(len(sealed())))
def test_a_change_of_any_byte_is_noticed_and_tells_nothing(at: int) -> None:
    record = bytearray(sealed())
    record[at] ^= 1
    with pytest.raises((Internal, FailedPrecondition)) as caught:
        KEYRING.open(bytes(record), target_uid="t-1", field="password")
    assert CANARY not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("length", range(len(sealed())))
def test_a_sealed_secret_cut_short_does_not_open(length: int) -> None:
    with pytest.raises((Internal, FailedPrecondition)):
        KEYRING.open(sealed()[:length], target_uid="t-1", field="password")


@pytest.mark.parametrize(
    ("target", "field"),
    [("t-2", "password"), ("t-1", "token"), ("t-1p", "assword"), ("", "t-1password")],
)
def test_a_sealed_secret_moved_to_another_place_does_not_open(target: str, field: str) -> None:
    with pytest.raises(Internal, match="another target or field"):
        KEYRING.open(sealed(), target_uid=target, field=field)


def test_the_newest_key_seals() -> None:
    assert KEYRING.key_id == "k-new"
    assert b"k-new" in sealed()


def test_an_older_key_of_the_ring_still_opens() -> None:
    before_rotation = sealed(Keyring((OLD,)))
    assert KEYRING.open(before_rotation, target_uid="t-1", field="password") == CANARY


def test_a_key_that_the_ring_does_not_hold_is_said() -> None:
    with pytest.raises(FailedPrecondition, match="key file does not hold"):
        Keyring((OLD,)).open(sealed(), target_uid="t-1", field="password")


def test_another_key_under_the_same_id_does_not_open() -> None:
    impostor = Keyring((Key("k-new", bytes(32)),))
    with pytest.raises(Internal):
        impostor.open(sealed(), target_uid="t-1", field="password")


def test_swapping_the_data_keys_of_two_secrets_is_noticed() -> None:
    one = sealed()
    other = KEYRING.seal("other", target_uid="t-1", field="token")
    head = 2 + len("k-new") + 12 + 48
    with pytest.raises(Internal):
        KEYRING.open(other[:head] + one[head:], target_uid="t-1", field="password")


def test_a_keyring_does_not_print_its_keys() -> None:
    shown = repr(KEYRING) + repr(NEW)
    assert re.search(r"\\x|material", shown) is None


def test_a_keyring_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Keyring(())


def test_a_rewrapped_secret_opens_with_the_newest_key_alone() -> None:
    before = sealed(Keyring((OLD,)))
    after = KEYRING.rewrap(before, target_uid="t-1", field="password")
    assert key_id_of(after) == "k-new"
    assert Keyring((NEW,)).open(after, target_uid="t-1", field="password") == CANARY
    assert is_same_secret(before, after)


def test_rewrapping_leaves_the_secret_closed_and_as_it_is() -> None:
    before = sealed(Keyring((OLD,)))
    after = KEYRING.rewrap(before, target_uid="t-1", field="password")
    inner = 12 + len(CANARY) + 16
    assert after[-inner:] == before[-inner:]
    assert after[:-inner] != before[:-inner]


@pytest.mark.parametrize(
    ("target", "field"),
    [("t-2", "password"), ("t-1", "token"), ("t-1p", "assword")],
)
def test_a_secret_of_another_place_is_not_rewrapped(target: str, field: str) -> None:
    with pytest.raises(Internal):
        KEYRING.rewrap(sealed(), target_uid=target, field=field)


def test_a_rewrapped_secret_is_bound_to_its_key_id_its_target_and_its_field() -> None:
    record = KEYRING.rewrap(sealed(Keyring((OLD,))), target_uid="t-1", field="password")
    with pytest.raises(Internal):
        KEYRING.open(record, target_uid="t-2", field="password")
    with pytest.raises(Internal):
        KEYRING.open(record, target_uid="t-1", field="token")
    renamed = Keyring((Key("k-xyz", NEW.material),))
    with pytest.raises(Internal):
        renamed.open(record.replace(b"k-new", b"k-xyz"), target_uid="t-1", field="password")


def test_a_secret_whose_key_is_gone_is_not_rewrapped() -> None:
    with pytest.raises(FailedPrecondition, match="k-old"):
        Keyring((NEW,)).rewrap(sealed(Keyring((OLD,))), target_uid="t-1", field="password")


def test_secrets_of_the_first_version_open_and_become_the_second() -> None:
    first = bytes.fromhex(
        "01056b2d6f6c64000102030405060708090a0bbfa94096ee2d09a98a433f6350d0373b3d"
        "4ba1db64aca2f3f938bcd5577a2f90988b1dec284fec9418c22eac0c18179a0001020304"
        "05060708090a0b082ee20c3477eaa55bcd5b33662c249b6d760bcee93cceb651748561e2"
        "7547b5c1f2f2"
    )
    assert KEYRING.open(first, target_uid="t-1", field="password") == CANARY
    after = KEYRING.rewrap(first, target_uid="t-1", field="password")
    assert after.startswith(head_of("k-new"))
    assert KEYRING.open(after, target_uid="t-1", field="password") == CANARY


def test_other_secrets_are_not_the_same_secret() -> None:
    assert not is_same_secret(sealed(), sealed())
    assert not is_same_secret(sealed(), b"")
