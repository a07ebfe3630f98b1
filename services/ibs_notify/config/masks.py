"""Update masks (AIP-134): which fields of a request are taken over into what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from ibs_notify.config.faults import Faults
from ibs_notify.config.secret_fields import take_secrets
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    header_secret,
)
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Header, Target

M = TypeVar("M", bound=Message)

_KINDS = ("smtp", "webhook", "influxdb", "pushgateway")
_SECRETS = frozenset(
    {
        SMTP_PASSWORD,
        WEBHOOK_TOKEN,
        WEBHOOK_SIGNING_SECRET,
        INFLUXDB_TOKEN,
        PUSHGATEWAY_PASSWORD,
        PUSHGATEWAY_BEARER_TOKEN,
    }
)
_OUTPUT_ONLY = frozenset(
    {
        "password_set",
        "token_set",
        "bearer_token_set",
        "signing_secret_set",
        "former_signing_secret_expire_time",
    }
)


def _paths(descriptor: Descriptor, *nested: str, without: Iterable[str] = ()) -> frozenset[str]:
    """Every field of a message, and of its messages named in ``nested``, as a path."""
    paths = {each.name for each in descriptor.fields} - set(without)
    for name in nested:
        inner = descriptor.fields_by_name[name].message_type
        paths |= {f"{name}.{each.name}" for each in inner.fields if each.name not in _OUTPUT_ONLY}
    return frozenset(paths)


_ASSIGNED = ("uid", "etag", "revision", "create_time", "update_time", "created_by", "updated_by")
TARGET_PATHS = _paths(Target.DESCRIPTOR, *_KINDS, without=("name", *_ASSIGNED))
GROUP_PATHS = _paths(
    Group.DESCRIPTOR,
    "digest",
    "templates",
    without=("name", "attachments", "subscriptions", *_ASSIGNED),
)
SETTINGS_PATHS = _paths(Settings.DESCRIPTOR, without=_ASSIGNED)
SUBSCRIPTION_PATHS = _paths(Subscription.DESCRIPTOR, without=("uid", "target"))


@dataclass(frozen=True, slots=True)
class TargetUpdate:
    """The target as it would be, without secrets; ``given`` and ``withdrawn`` secrets, by field."""

    target: Target
    given: Mapping[str, str] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()


def check_mask(mask: FieldMask, allowed: frozenset[str], faults: Faults) -> list[str]:
    """The paths of a mask; faults name those that cannot be updated, or that there are none."""
    if not mask.paths:
        faults.add("update_mask", "is missing", f"name at least one of {_listed(allowed)}")
    for path in mask.paths:
        if path not in allowed:
            problem = f"{path!r} is no field that can be updated"
            faults.add("update_mask", problem, f"known are {_listed(allowed)}")
    return [path for path in mask.paths if path in allowed]


def merge(stored: M, request: M, paths: Iterable[str]) -> M:
    """A copy of ``stored`` with the fields at ``paths`` as in ``request``, unset ones unset."""
    merged = type(stored)()
    merged.CopyFrom(stored)
    for path in paths:
        _copy(merged, request, path)
    return merged


def update_target(
    stored: Target,
    request: Target,
    mask: FieldMask,
    remove_headers: Sequence[str],
    faults: Faults,
) -> TargetUpdate:
    """The stored target with what the request changes. Headers are merged by name, without case.

    A secret is taken away by its own path with an empty value; a path of the whole kind leaves
    secrets that are not given as they are.
    """
    paths = check_mask(mask, TARGET_PATHS, faults) if mask.paths or not remove_headers else []
    kind = stored.WhichOneof("kind") or ""
    foreign = {path.partition(".")[0] for path in paths} & (set(_KINDS) - {kind})
    if foreign or request.WhichOneof("kind") not in (None, kind):
        faults.add("target.kind", f"cannot be changed: {stored.name!r} is of the kind {kind}")
    if remove_headers and kind != "webhook":
        faults.add("remove_headers", f"a target of the kind {kind} has no headers")
    if faults:
        return TargetUpdate(stored)
    asked = Target()
    asked.CopyFrom(request)
    secrets = take_secrets(asked)
    merged = merge(stored, asked, (path for path in paths if path not in _SECRETS))
    given = {name: secret for name, secret in secrets.items() if _is_masked(name, paths)}
    withdrawn = {path for path in paths if path in _SECRETS and path not in given}
    if kind == "webhook":
        names = {"webhook.headers", "webhook"} & set(paths)
        _set_headers(merged, _merged_headers(stored, asked if names else Target()))
        _remove_headers(merged, remove_headers, faults)
        withdrawn |= {header_secret(name) for name in remove_headers}
        given = {name: secret for name, secret in given.items() if name not in withdrawn}
        _keep_output_only(merged, stored)
    return TargetUpdate(merged, given, frozenset(withdrawn))


def _is_masked(secret: str, paths: Sequence[str]) -> bool:
    kind = secret.partition(".")[0]
    return kind in paths or secret.partition("[")[0] in paths


def _merged_headers(stored: Target, request: Target) -> list[Header]:
    headers = {header.name.lower(): header for header in stored.webhook.headers}
    repeated: list[Header] = []
    seen: set[str] = set()
    for header in request.webhook.headers:
        name = header.name.lower()
        if name in seen:
            # Kept, so that the validation can refuse it by name.
            repeated.append(header)
        else:
            headers[name] = header
        seen.add(name)
    return [*headers.values(), *repeated]


def _keep_output_only(target: Target, stored: Target) -> None:
    """A mask of the whole kind takes over what the request may not say."""
    target.webhook.ClearField("former_signing_secret_expire_time")
    if stored.webhook.HasField("former_signing_secret_expire_time"):
        until = stored.webhook.former_signing_secret_expire_time
        target.webhook.former_signing_secret_expire_time.CopyFrom(until)


def _set_headers(target: Target, headers: Sequence[Header]) -> None:
    copies = [Header(name=header.name) for header in headers]
    del target.webhook.headers[:]
    target.webhook.headers.extend(copies)


def _remove_headers(target: Target, names: Sequence[str], faults: Faults) -> None:
    there = {header.name.lower() for header in target.webhook.headers}
    for index, name in enumerate(names):
        if name.lower() not in there:
            faults.add(f"remove_headers[{index}]", f"the target has no header {name!r}")
    gone = {name.lower() for name in names}
    _set_headers(target, [each for each in target.webhook.headers if each.name.lower() not in gone])


def _copy(target: Message, source: Message, path: str) -> None:
    name, _, rest = path.partition(".")
    if rest:
        _copy(getattr(target, name), getattr(source, name), rest)
        return
    target.ClearField(name)
    described = source.DESCRIPTOR.fields_by_name[name]
    if described.is_repeated:
        getattr(target, name).extend(getattr(source, name))
    elif described.has_presence:
        if source.HasField(name):
            _set(target, source, name)
    else:
        setattr(target, name, getattr(source, name))


def _set(target: Message, source: Message, name: str) -> None:
    value = getattr(source, name)
    if isinstance(value, Message):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(sorted(paths))
