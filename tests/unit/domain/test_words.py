"""Severities, names, moments and errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain import errors
from ibs_notify.domain.clock import SystemClock, from_micros, to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.naming import is_name
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import error_reason_pb2, event_pb2


def test_severities_are_ordered_as_on_the_product_page() -> None:
    words = [each.label for each in sorted(Severity)]
    assert words == ["info", "notice", "warning", "error", "critical"]


@pytest.mark.parametrize("severity", Severity)
def test_a_severity_has_the_number_of_the_api_and_is_read_in_any_case(severity: Severity) -> None:
    assert int(event_pb2.Severity.Value(f"SEVERITY_{severity.name}")) == severity.value
    assert Severity.parse(severity.label) is severity
    assert Severity.parse(f" {severity.name} ") is severity


def test_an_unknown_severity_is_answered_with_the_five_words() -> None:
    with pytest.raises(ValueError, match="'fatal': one of info, notice, warning, error, critical"):
        Severity.parse("fatal")


@pytest.mark.parametrize("name", ["a", "ops-team", "0", "a.b_c-d", "x" * 63])
def test_a_name_of_the_documented_form_is_one(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "é", "a\n", "x" * 64])
def test_anything_else_is_no_name(name: str) -> None:
    assert not is_name(name)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_survives_its_storage_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stored_moments_sort_as_moments_do(one: datetime, other: datetime) -> None:
    assert (to_micros(one) < to_micros(other)) == (one < other)


def test_the_machines_clock_is_aware_and_its_intervals_do_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()


def test_the_reasons_are_those_of_the_api() -> None:
    api = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert {each.value for each in Reason} == api - {"UNSPECIFIED"}


def test_an_error_says_what_to_do() -> None:
    error = errors.NotFound(Reason.TARGET_NOT_FOUND, "there is no target 'x'", advice="list them")
    assert str(error) == "there is no target 'x' (list them)"
    assert str(errors.NotFound(Reason.TARGET_NOT_FOUND, "none")) == "none"


def test_an_error_of_several_fields_names_them_all() -> None:
    error = InvalidArgument.of([FieldViolation("a", "is missing"), FieldViolation("b", "is long")])
    assert error.message == "a: is missing; b: is long"
    assert [each.path for each in error.violations] == ["a", "b"]
