"""Time zones have the names of the IANA database."""

from __future__ import annotations

from datetime import UTC

import pytest

from ibs_notify.domain.time_zone import zone_of, zone_problem


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "Europ/Berlin"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    assert "no IANA time zone" in zone_problem(zone)


def test_a_misspelt_time_zone_is_corrected() -> None:
    assert "Europe/Berlin" in zone_problem("Europ/Berlin")
    assert zone_problem("Europe/Berlin") == ""


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "a\0b", "x" * 5000])
def test_a_zone_that_is_not_known_is_utc(name: str) -> None:
    assert zone_of(name) is UTC
