"""What the fields of forms are called: for who is told of one away from its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "url": "URL",
    "tls_mode": "TLS",
    "from_address": "From",
    "ca_pem": "CA certificates",
    "max_rate": "Most messages a minute",
    "account": "Account SID",
    "org": "Organisation",
    "test_recipient": "Send the test to",
    "digest_body_template": "Body template of digests and summaries",
    "attachments": "Attached resources",
    "rate_limit": "Events a minute",
    "rate_limit_per_minute": "Events a minute",
    "max_rate_per_minute": "Most messages a minute",
    "dedup_window": "Identical events are told once in",
    "digest_rule": "Gathered are events that match",
    "digest_frequency": "How often",
    "digest_time": "Time of the digest",
    "digest_weekday": "Weekday of the digest",
    "digest_time_zone": "Time zone of the digest",
    "comment": "Why",
    "html": "HTML",
    "digest_html": "HTML of digests",
}
_ROWS: Final[Mapping[str, str]] = {
    "rule": "Rule of target",
    "target": "Target",
    "recipients": "Recipients of target",
    "header": "Header",
}
_OF_A_ROW: Final = re.compile(r"(rule|target|recipients|header)-(\d{1,3})")


def field_name(name: str) -> str:
    """``Max rate`` of ``max_rate``, if no form calls it otherwise; rows are counted from 1."""
    if row := _OF_A_ROW.fullmatch(name):
        # Headers are counted so in their form, the rows of a group from 0.
        number = int(row[2]) + (row[1] != "header")
        return f"{_ROWS[row[1]]} {number}"
    return _NAMES.get(name) or name.replace("_", " ").capitalize()
