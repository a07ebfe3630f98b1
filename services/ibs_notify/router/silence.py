from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ibs_notify.domain.event import Event
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.rules.evaluate import Predicate, compile_rule
from ibs_notify.rules.parse import parse


class SilenceReason(StrEnum):
    SILENCED = "SILENCED"
    NOT_SILENCED = "NOT_SILENCED"


@dataclass(frozen=True, slots=True)
class Silence:
    silence_id: str
    rule: str
    start: datetime
    end: datetime | None
    weekly: str
    time_zone: str
    comment: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ActiveSilence:
    silence: Silence
    matches: Predicate


def compile_silence(s: Silence) -> ActiveSilence:
    return ActiveSilence(s, compile_rule(parse(s.rule)))


def is_active(s: Silence, now: datetime) -> bool:
    return s.start <= now and (s.end is None or now < s.end)


def silenced_by(silences: Sequence[ActiveSilence], event: Event) -> Decision | None:
    for each in silences:
        if each.matches(event):
            return Decision(State.SILENCED, Reason.SILENCE_MATCHED, each.silence.silence_id)
    return None
