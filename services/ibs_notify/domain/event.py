"""The event: what an emitter says happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from ibs_notify.domain.severity import Severity

NOTHING: Mapping[str, str] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True, slots=True)
class Event:
    """One event, validated. Text is kept as the emitter wrote it.

    ``resource`` is what the emitter wrote and payloads show; ``canonical_resource`` is what rules
    and attachments compare (see ``domain.resource``). ``timestamp`` is aware UTC. ``groups`` are
    the notification groups the emitter selected; empty means that attachments decide.
    """

    event_id: str
    type: str
    severity: Severity
    timestamp: datetime
    subject: str = ""
    summary: str = ""
    task_id: str = ""
    actor: str = ""
    resource: str = ""
    canonical_resource: str = ""
    task_url: str = ""
    links: Mapping[str, str] = field(default_factory=_nothing)
    labels: Mapping[str, str] = field(default_factory=_nothing)
    groups: tuple[str, ...] = ()
    dedup_key: str = ""

    @property
    def source(self) -> str:
        """The part of the type before its first dot: ``backup`` of ``backup.failed``."""
        return self.type.partition(".")[0]
