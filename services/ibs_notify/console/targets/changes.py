"""What a form would change of a target that is stored, and which of its secrets that costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.message import Message

from ibs_notify.console.forms import Faults, Form
from ibs_notify.console.targets.words import LABELS, SECRETS
from ibs_notify.domain.errors import Reason
from ibs_notify.domain.moves import moves
from ibs_notify.rpc.convert_config import target_from_proto
from ironcore.notification.v1 import target_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import UpdateTargetRequest

OVERLAP = timedelta(hours=24)
COMMON = ("description", "max_rate_per_minute")
_OF_THE_WAY = {*SECRETS, "headers", "url", "server", "tls_mode", "username", "auth_method"}
"""Fields that decide whether something secret travels in clear text."""


def update_of(stored: pb.Target, wanted: pb.Target, form: Form) -> UpdateTargetRequest | None:
    """Only what differs is asked for; ``None`` where nothing does."""
    kind = stored.WhichOneof("kind") or "smtp"
    before, after = getattr(stored, kind), getattr(wanted, kind)
    request = UpdateTargetRequest(target=pb.Target(name=stored.name, etag=wanted.etag))
    sent = getattr(request.target, kind)
    sent.SetInParent()
    paths = request.update_mask.paths
    for name in COMMON:
        if getattr(stored, name) != getattr(wanted, name):
            setattr(request.target, name, getattr(wanted, name))
            paths.append(name)
    for name in _changed(before, after):
        _copy(name, after, sent)
        paths.append(f"{kind}.{name}")
    if kind == "webhook":
        _change_headers(request, stored.webhook, wanted.webhook, form)
        _change_signing(request, stored.webhook, form)
    return request if paths else None


def _changed(before: Message, after: Message) -> list[str]:
    """The fields that differ, secrets where they are given; headers are compared elsewhere."""
    names = [each.name for each in before.DESCRIPTOR.fields]
    return [
        name
        for name in names
        if name != "headers"
        and not name.endswith(("_set", "_time"))
        and (bool(getattr(after, name)) if name in SECRETS else _differs(name, before, after))
    ]


def _differs(name: str, before: Message, after: Message) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _copy(name: str, source: Message, into: Message) -> None:
    value = getattr(source, name)
    if isinstance(value, str | int | bool):
        setattr(into, name, value)
    else:
        getattr(into, name).extend(value)


def _change_headers(
    request: UpdateTargetRequest, before: pb.WebhookTarget, after: pb.WebhookTarget, form: Form
) -> None:
    known = {each.name.lower() for each in before.headers}
    given = [each for each in after.headers if each.value or each.name.lower() not in known]
    request.target.webhook.headers.extend(given)
    request.remove_headers.extend(form.texts("remove_header"))
    if given or request.remove_headers:
        # A request that only removes must mask something as well.
        request.update_mask.paths.append("webhook.headers")


def _change_signing(request: UpdateTargetRequest, before: pb.WebhookTarget, form: Form) -> None:
    if not before.signing_secret_set:
        return
    if request.target.webhook.signing_secret:
        if form.is_on("signing_overlap"):
            request.signing_overlap.FromTimedelta(OVERLAP)
    elif form.is_on("unsign"):
        request.update_mask.paths.append("webhook.signing_secret")


@dataclass(frozen=True, slots=True)
class Loss:
    """``secrets`` do not follow a target where ``changed`` lead it; both are fields."""

    changed: Sequence[str]
    secrets: Sequence[str]

    @property
    def words(self) -> tuple[str, str]:
        """Both for a sentence: ``server and port``, ``password``."""
        return " and ".join(map(_inside, self.changed)), " and ".join(map(_inside, self.secrets))

    @property
    def has_headers(self) -> bool:
        """Whether some may be done without."""
        return any(each.startswith("headers[") for each in self.secrets)


def loss_of(stored: pb.Target, wanted: pb.Target, form: Form) -> Loss | None:
    """The stored secrets that saving ``wanted`` clears, as they are not given again."""
    changed = list(_moves(stored, wanted))
    left = _stored_secrets(stored) - _given_secrets(wanted)
    left -= {f"headers[{each}]" for each in form.texts("remove_header")}
    if form.is_on("unsign"):
        left -= {"signing_secret"}
    if not changed and stored.webhook.preset != wanted.webhook.preset:
        # Another preset may show its token to others.
        changed, left = ["webhook.preset"], left & {"token"}
    if not changed or not left:
        return None
    return Loss([each.partition(".")[2] for each in changed], sorted(left))


def stored_secrets(stored: pb.Target) -> list[tuple[str, str]]:
    """Each secret that is stored, and the field of the form that takes another in its place."""
    message = getattr(stored, stored.WhichOneof("kind") or "smtp")
    found = [(each, each) for each in SECRETS if getattr(message, f"{each}_set", False)]
    headers = enumerate(stored.webhook.headers, 1)
    return found + [(f"headers[{each.name}]", f"header-{n}") for n, each in headers]


def write_again(stored: pb.Target, loss: Loss) -> Faults:
    """What the service refuses in its own terms, at the fields of the form."""
    changed, secrets = loss.words
    fields = {
        field: (
            "must be written again"
            if name == field
            else f"{name[len('headers[') : -1]} must be written again, or removed"
        )
        for name, field in stored_secrets(stored)
        if name in loss.secrets
    }
    return Faults(
        fields,
        f"A stored secret never follows a target to another place: with another {changed} it "
        f"needs its {secrets} again.",
        "Where a header is not needed there, tick Remove beside it." if loss.has_headers else "",
        Reason.SECRET_REQUIRED,
    )


def _moves(stored: pb.Target, wanted: pb.Target) -> Sequence[str]:
    try:
        return moves(target_from_proto(stored).spec, target_from_proto(wanted).spec)
    except (KeyError, ValueError):
        return ()  # half written, such as a port that is none


def _stored_secrets(target: pb.Target) -> set[str]:
    message = getattr(target, target.WhichOneof("kind") or "smtp")
    found = {each for each in SECRETS if getattr(message, f"{each}_set", False)}
    return found | {f"headers[{each.name}]" for each in target.webhook.headers if each.value_set}


def _given_secrets(target: pb.Target) -> set[str]:
    message = getattr(target, target.WhichOneof("kind") or "smtp")
    found = {each for each in SECRETS if getattr(message, each, "")}
    return found | {f"headers[{each.name}]" for each in target.webhook.headers if each.value}


def _inside(field: str) -> str:
    """A field in the middle of a sentence; URL and TLS stay as they are."""
    if field.startswith("headers["):
        return f"header {field[8:-1]}"
    label = LABELS[field]
    return label if label[:2].isupper() else label[0].lower() + label[1:]


def warnings_of(request: UpdateTargetRequest, warnings: Iterable[str]) -> list[str]:
    """What is to be read of a change. That secrets travel in clear text is said when what they are,
    or where and how they go, is changed, and not again with every other field.
    """
    changed = {path.rpartition(".")[2] for path in request.update_mask.paths}
    if changed & _OF_THE_WAY:
        return list(warnings)
    return [each for each in warnings if "in clear text" not in each]
