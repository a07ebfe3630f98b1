"""Who receives a mail target's mails, as the configuration says, and which mails nobody does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.console.api import Api
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.configured import every_group
from ironcore.notification.v1.config_service_pb2 import GetSettingsRequest
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import Target


class Source(StrEnum):
    """Who names the recipients."""

    GROUP = "group"
    TARGET = "target"
    SETTING = "setting"
    NOBODY = "nobody"
    NO_MAIL = "no mail"


@dataclass(frozen=True, slots=True)
class Recipients:
    """Empty where nobody receives it, and where it is no mail."""

    addresses: Sequence[str]
    source: Source


def recipients_of(
    subscription: Subscription, target: Target, defaults: Sequence[str]
) -> Recipients:
    """Those of the subscription, else of the target, else the setting's ``defaults``."""
    if not target.HasField("smtp"):
        return Recipients((), Source.NO_MAIL)
    for addresses, source in (
        (subscription.recipients, Source.GROUP),
        (target.smtp.recipients, Source.TARGET),
        (defaults, Source.SETTING),
    ):
        if addresses:
            return Recipients(list(addresses), source)
    return Recipients((), Source.NOBODY)


def unaddressed(
    targets: Iterable[Target], groups: Sequence[Group], defaults: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Mail targets with mails that nobody receives, by name, with the groups that send those.

    No group sends to it yet: none is named, and nothing would be received.
    """
    senders: defaultdict[str, list[tuple[str, Subscription]]] = defaultdict(list)
    for group in groups:
        for each in group.subscriptions:
            senders[each.target].append((group.name, each))
    found: dict[str, list[str]] = {}
    for target in targets:
        sent = senders[target.name]
        lacking = [
            name
            for name, each in sent
            if recipients_of(each, target, defaults).source is Source.NOBODY
        ]
        own = recipients_of(Subscription(), target, defaults).source
        if lacking or (not sent and own is Source.NOBODY):
            found[target.name] = lacking
    return found


async def default_recipients(api: Api) -> Sequence[str]:
    """The setting's."""
    found = await api.call(api.config.GetSettings, GetSettingsRequest())
    return found.settings.default_recipients


async def ask_unaddressed(api: Api, targets: Sequence[Target]) -> Mapping[str, Sequence[str]]:
    """``unaddressed``, asking only what is needed; empty where Config does not answer."""
    bare = [each for each in targets if each.HasField("smtp") and not each.smtp.recipients]
    if not bare:
        return {}
    defaults = await unless_failed(default_recipients(api))
    if defaults is None or defaults:
        return {}
    groups = await unless_failed(every_group(api))
    return unaddressed(bare, groups, ()) if groups is not None else {}
