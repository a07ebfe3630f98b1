"""What several use cases ask of what they find."""

from __future__ import annotations

from ibs_notify.config.ports import View
from ibs_notify.domain.errors import Aborted, NotFound, Reason
from ibs_notify.domain.naming import is_name
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target


def find_target(view: View, name: str) -> Target:
    """The target of that name, or ``NotFound``."""
    target = view.target(name) if is_name(name) else None
    if target is None:
        raise NotFound(Reason.TARGET_NOT_FOUND, f"there is no target {name!r}")
    return target


def find_group(view: View, name: str) -> Group:
    """The group of that name, or ``NotFound``."""
    group = view.group(name) if is_name(name) else None
    if group is None:
        raise NotFound(Reason.GROUP_NOT_FOUND, f"there is no group {name!r}")
    return group


def require_etag(given: str, current: Target | Group | Settings, what: str) -> None:
    """``Aborted`` where an etag is given and is not the current one."""
    if given and given != current.etag:
        raise Aborted(
            Reason.ETAG_MISMATCH,
            f"{what} was changed since it was read, by {current.updated_by or 'somebody'}",
            advice="read it again, then repeat the change",
        )
