"""Settings."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ironcore.notification.v1.config_service_pb2 import UpdateSettingsRequest

_FLAGS = {"public_url": "public-url", "time_zone": "timezone", "sender": "sender"}


def update(request: UpdateSettingsRequest) -> str:
    """``settings update …``; a remark where nothing is changed."""
    given = request.settings
    paths = set(request.update_mask.paths)
    if not paths:
        return "# nothing is changed"
    recipients = [*given.default_recipients] or [""]
    return line(
        "settings",
        "update",
        flags=[
            ("default-recipient", recipients if "default_recipients" in paths else None),
            *(
                (flag, getattr(given, path) if path in paths else None)
                for path, flag in _FLAGS.items()
            ),
        ],
    )
