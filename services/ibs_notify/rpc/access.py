"""Who may call what: the whole table, the same as in docs/security.md.

What is not in it is refused, whoever calls.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from enum import StrEnum
from typing import TypeAlias

from ibs_notify.domain.principal import Role, Service

Caller: TypeAlias = Role | Service | None
"""The role of a token, a service by its certificate; ``None`` is who proves nothing."""
Allowed: TypeAlias = Collection[Caller]
_ADMINISTRATORS: Set[Caller] = frozenset({Role.ADMINISTRATOR})
_OPERATORS: Set[Caller] = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
_READERS: Set[Caller] = frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR})
_EMITTERS: Set[Caller] = frozenset({Role.EMITTER, Role.ADMINISTRATOR})
_PEOPLE: Set[Caller] = frozenset(Role)
_EVERYBODY: Set[Caller] = frozenset({*Role, *Service, None})
_CONFIG: Set[Caller] = frozenset({Service.CONFIG})
_ROUTER: Set[Caller] = frozenset({Service.ROUTER})
_DELIVERY: Set[Caller] = frozenset({Service.DELIVERY})

_API = "ironcore.notification.v1."

_TABLE: Mapping[str, Mapping[str, Set[Caller]]] = {
    f"{_API}ConfigService": {
        "CreateTarget": _ADMINISTRATORS,
        "GetTarget": _READERS,
        "ListTargets": _READERS,
        "UpdateTarget": _ADMINISTRATORS,
        "DeleteTarget": _ADMINISTRATORS,
        # It sends, and to wherever a draft says.
        "TestTarget": _ADMINISTRATORS,
        "StreamTargetTest": _ADMINISTRATORS,
        "CreateGroup": _ADMINISTRATORS,
        "GetGroup": _READERS,
        "ListGroups": _READERS,
        "UpdateGroup": _ADMINISTRATORS,
        "DeleteGroup": _ADMINISTRATORS,
        "AddSubscription": _ADMINISTRATORS,
        "UpdateSubscription": _ADMINISTRATORS,
        "RemoveSubscription": _ADMINISTRATORS,
        "AttachResource": _ADMINISTRATORS,
        "DetachResource": _ADMINISTRATORS,
        "GetSettings": _READERS,
        "UpdateSettings": _ADMINISTRATORS,
        "CheckRule": _READERS,
        "AnalyzeRule": _READERS,
        # What of it is sent is decided by who asks.
        "WatchConfig": _ROUTER | _DELIVERY,
        "ListGroupNames": _PEOPLE,
        "CreateToken": _ADMINISTRATORS,
        "ListTokens": _ADMINISTRATORS,
        "RevokeToken": _ADMINISTRATORS,
        "ReportTokenUse": _ROUTER | _DELIVERY,
        "RotateKeys": _ADMINISTRATORS,
        "ListKeys": _ADMINISTRATORS,
        "RemoveKey": _ADMINISTRATORS,
        "GetCaller": _PEOPLE,
    },
    f"{_API}RouterService": {
        # Config tells of changes, Config and Delivery of refused logins.
        "Emit": _EMITTERS | _CONFIG | _DELIVERY,
        "EmitBatch": _EMITTERS,
        "EmitStream": _EMITTERS,
        "ListEvents": _READERS,
        "GetEvent": _READERS,
        "WatchEvents": _READERS,
        # The weekly summary has its totals from here.
        "SummarizeEvents": _READERS | _DELIVERY,
        "MarkEvents": _OPERATORS,
        "CountEvents": _READERS,
        "ChartEvents": _READERS,
        "Explain": _READERS,
        "CreateSilence": _OPERATORS,
        "ListSilences": _READERS,
        "ExpireSilence": _OPERATORS,
        "GetGroupStatus": _READERS,
        "ListGroupStatuses": _READERS,
        "PreviewDedup": _READERS,
        "PreviewOverlap": _READERS,
        "ListHearings": _READERS,
        "GetCoverage": _READERS,
        "VerifyLedger": _READERS,
        # Who changes the configuration waits with it.
        "AwaitConfig": _ADMINISTRATORS,
    },
    f"{_API}DeliveryService": {
        "Deliver": _ROUTER,
        # It is given sealed secrets; people test by Config.
        "TestTarget": _CONFIG,
        "StreamTargetTest": _CONFIG,
        "PreviewMessage": _READERS,
        "ListTemplates": _READERS,
        "ListDeliveries": _READERS,
        "CountDeliveries": _READERS,
        "ChartDeliveries": _READERS,
        "GetDelivery": _READERS | _ROUTER,
        "RetryDeliveries": _OPERATORS,
        "CancelDeliveries": _OPERATORS,
        "GetTargetStatus": _READERS | _CONFIG | _ROUTER,
        "ListTargetStatuses": _READERS | _ROUTER,
        "ListTroubledTargets": _READERS,
        "ResumeTarget": _OPERATORS,
        "HoldDeliveries": _OPERATORS,
        "ReleaseDeliveries": _OPERATORS,
        "WatchOutcomes": _ROUTER,
        "ListObligationIds": _ROUTER,
        # Config waits with it before an old key goes.
        "AwaitConfig": _ADMINISTRATORS | _CONFIG,
        "ListDigests": _READERS,
        "PreviewDigest": _READERS,
        "FlushDigest": _OPERATORS,
    },
    f"{_API}AuditService": {
        # What was changed says more than what is: who is watched, and by which former ways.
        "ListAuditEntries": _ADMINISTRATORS,
        "VerifyAuditLog": _ADMINISTRATORS,
    },
    "grpc.health.v1.Health": {
        "Check": _EVERYBODY,
        "Watch": _READERS,
    },
    # Served in the development profile only.
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _READERS},
}

ACCESS: Mapping[str, Set[Caller]] = {
    f"/{service}/{method}": allowed
    for service, methods in _TABLE.items()
    for method, allowed in methods.items()
}
"""By full method name, ``/ironcore.notification.v1.RouterService/Emit``."""

_NOBODY: Set[Caller] = frozenset()


class Access(StrEnum):
    """What the table says to a call."""

    OPEN = "OPEN"
    """Nobody is asked who they are."""
    GRANTED = "GRANTED"
    DENIED = "DENIED"


def allowed_to(method: str) -> Set[Caller]:
    """Who may call ``method``; nobody where it is not in the table."""
    return ACCESS.get(method, _NOBODY)


def access(allowed: Allowed, who: Caller) -> Access:
    """Whether ``who`` is among those ``allowed``."""
    if None in allowed:
        return Access.OPEN
    return Access.GRANTED if who is not None and who in allowed else Access.DENIED


def least_role(allowed: Allowed) -> Role | None:
    """The role with the fewest rights that is enough; ``None`` where no role is."""
    by_rights = (Role.EMITTER, Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR)
    return next((role for role in by_rights if role in allowed), None)
