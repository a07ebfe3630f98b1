"""Whether a token may be made: every bad field is named. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from ibs_notify.config.faults import Faults
from ibs_notify.config.validate_group import resource_problem, resource_warnings
from ibs_notify.config.validate_target import MAX_DESCRIPTION
from ibs_notify.domain.resource import canonical
from ironcore.notification.v1.token_pb2 import (
    ROLE_ADMINISTRATOR,
    ROLE_EMITTER,
    ROLE_UNSPECIFIED,
    Role,
    Token,
)

MAX_SOURCES = 32
MAX_RESOURCES = 100
MAX_QUOTA = 1_000_000
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_OUR_SOURCE = "notification"
_RESERVED = frozenset({"administrator", "unknown"})
"""What a certificate, or nothing at all, is called where changes show who made them."""
_LATEST = 253_402_300_799


def checked_token(given: Token, now: datetime, faults: Faults) -> Token:
    """The token to store, from what was ``given``; its output-only fields are not taken over."""
    _check_name(given.name, faults)
    if given.role == ROLE_UNSPECIFIED:
        faults.add("token.role", "is missing", "emitter, viewer, operator or administrator")
    elif given.role not in Role.values():
        faults.add("token.role", f"no role has the number {given.role}")
    _check_bounds(given, faults)
    if not 0 <= given.quota_per_minute <= MAX_QUOTA:
        faults.add("token.quota_per_minute", f"is not between 0 and {MAX_QUOTA}")
    if len(given.description) > MAX_DESCRIPTION:
        length = len(given.description)
        faults.add("token.description", f"has {length} characters; at most {MAX_DESCRIPTION}")
    token = Token(
        name=given.name,
        role=given.role,
        sources=sorted(set(given.sources)),
        resources=sorted({canonical(each) for each in given.resources}),
        quota_per_minute=given.quota_per_minute,
        description=given.description,
    )
    if given.HasField("expire_time"):
        token.expire_time.CopyFrom(given.expire_time)
        _check_expiry(given, now, faults)
    return token


def warnings_of(token: Token) -> list[str]:
    """What whoever makes the token should know."""
    warnings = [each for resource in token.resources for each in resource_warnings(resource)]
    if token.role == ROLE_ADMINISTRATOR and not token.HasField("expire_time"):
        warnings.append("it may do everything and never expires")
    return warnings


def _check_name(name: str, faults: Faults) -> None:
    if _NAME.fullmatch(name) is None:
        rule = (
            "is not of 1 to 63 lower-case letters, digits, '.' or '-', "
            "beginning and ending with a letter or digit"
        )
        faults.add("token.name", rule if name else "is missing")
    elif name in _RESERVED:
        faults.add("token.name", f"{name!r} is what others than tokens are called")


def _check_bounds(given: Token, faults: Faults) -> None:
    if given.role != ROLE_EMITTER:
        for field in ("sources", "resources"):
            if getattr(given, field):
                faults.add(f"token.{field}", "only an emitter may be bound")
    for field, most in (("sources", MAX_SOURCES), ("resources", MAX_RESOURCES)):
        if (count := len(getattr(given, field))) > most:
            faults.add(f"token.{field}", f"has {count} entries; at most {most}")
    for index, source in enumerate(given.sources[:MAX_SOURCES]):
        if _SOURCE.fullmatch(source) is None:
            advice = 'what comes before the first dot of a type, such as "backup"'
            faults.add(f"token.sources[{index}]", f"{source!r} is no source", advice)
        elif source == _OUR_SOURCE:
            faults.add(f"token.sources[{index}]", f"{source!r} is what the system itself tells of")
    for index, resource in enumerate(given.resources[:MAX_RESOURCES]):
        faults.add(f"token.resources[{index}]", resource_problem(resource))


def _check_expiry(given: Token, now: datetime, faults: Faults) -> None:
    if not 0 < given.expire_time.seconds <= _LATEST:
        faults.add("token.expire_time", "is no time of the years 1970 to 9999")
    elif given.expire_time.seconds <= now.timestamp():
        faults.add("token.expire_time", "is not in the future")
