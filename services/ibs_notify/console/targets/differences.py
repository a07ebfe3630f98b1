"""A form of a target, and the target as somebody else has saved it meanwhile: joined. Pure.

Secrets and headers are left out: what is not given of these is kept as it is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import Message

from ibs_notify.console.forms import Form
from ibs_notify.console.overtaken import Difference, divide
from ibs_notify.console.targets.changes import COMMON
from ibs_notify.console.targets.draft import form_of
from ibs_notify.console.targets.words import FORM_NAMES, LABELS, SECRETS
from ironcore.notification.v1 import target_pb2 as pb


@dataclass(frozen=True, slots=True)
class Joined:
    """``target`` is what is stored, with what the form changed.

    ``both`` are the fields that both changed, of which it has the form's; ``theirs`` those that
    only somebody else did.
    """

    target: pb.Target
    both: Sequence[str] = ()
    theirs: Sequence[str] = ()


def join(opened: pb.Target | None, mine: pb.Target, stored: pb.Target) -> Joined:
    """``opened`` is what the form was opened with; where that is not known, or was another target
    of the same name, both changed all that differs.
    """
    if opened is not None and opened.uid != stored.uid:
        opened = None
    target = pb.Target()
    target.CopyFrom(mine)
    target.etag = stored.etag
    before = None if opened is None else partial(_value, opened)
    found = divide(_fields(stored), before, partial(_value, mine), partial(_value, stored))
    for name in found.kept:
        _take(target, stored, name)
    return Joined(target, found.both, found.theirs)


def showing(form: Form, stored: pb.Target, fields: Collection[str]) -> Form:
    """``form`` with those ``fields`` as they are stored."""
    shown, names = form_of(stored), [FORM_NAMES.get(each, each) for each in fields]
    return Form({**form.values, **{name: shown.values.get(name, [""]) for name in names}})


def differences(
    mine: pb.Target, stored: pb.Target, fields: Collection[str]
) -> Sequence[Difference]:
    """Those of ``fields`` in which ``mine`` differs, as people read them."""
    return [
        Difference(name, LABELS[name], _text(stored, name), _text(mine, name))
        for name in _fields(stored)
        if name in fields and _value(mine, name) != _value(stored, name)
    ]


def _fields(target: pb.Target) -> Iterator[str]:
    """What its form shows."""
    yield from COMMON
    for each in _spec(target).DESCRIPTOR.fields:
        is_of_mail = each.name.endswith("_template") and target.HasField("smtp")
        is_shown = each.name != "headers" and not each.name.endswith(("_set", "_time"))
        if is_shown and each.name not in SECRETS and not is_of_mail:
            yield each.name


def _spec(target: pb.Target) -> Message:
    spec: Message = getattr(target, target.WhichOneof("kind") or "smtp")
    return spec


def _owner(target: pb.Target, name: str) -> Message:
    return target if name in COMMON else _spec(target)


def _value(target: pb.Target, name: str) -> object:
    return getattr(_owner(target, name), name)


def _take(target: pb.Target, stored: pb.Target, name: str) -> None:
    owner, value = _owner(target, name), _value(stored, name)
    if isinstance(value, str | int):
        setattr(owner, name, value)
    else:
        getattr(owner, name)[:] = value


def _text(target: pb.Target, name: str) -> str:
    owner, value = _owner(target, name), _value(target, name)
    field = owner.DESCRIPTOR.fields_by_name[name]
    if field.enum_type is not None and isinstance(value, int):
        return _word_of_enum(field.enum_type.values_by_number[value].name)
    return str(value) if isinstance(value, str | int) else ", ".join(getattr(owner, name))


def _word_of_enum(name: str) -> str:
    for prefix in ("SMTP_AUTH_METHOD_", "SMTP_TLS_MODE_", "WEBHOOK_PRESET_"):
        name = name.removeprefix(prefix)
    return "" if name == "UNSPECIFIED" else name.lower().replace("_", "-")
