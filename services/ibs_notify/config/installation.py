"""The use cases of the settings of the whole installation."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.config.checks import require_etag
from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import SETTINGS_PATHS, check_mask, merge
from ibs_notify.config.ports import Change, Repository, Saved, View
from ibs_notify.config.validate_group import check_settings
from ironcore.notification.v1.settings_pb2 import Settings


class Installation:
    """There is one set of settings, and it always exists."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def get(self) -> Settings:
        """The settings in force."""
        return await self._repository.read(lambda view: view.settings())

    async def update(self, request: Settings, mask: FieldMask, author: str) -> Saved[Settings]:
        """``Aborted`` where the etag is not the current one."""

        def work(change: Change) -> Saved[Settings]:
            stored = change.settings()
            require_etag(request.etag, stored, "the settings")
            faults = Faults()
            settings = merge(stored, request, check_mask(mask, SETTINGS_PATHS, faults))
            settings.time_zone = settings.time_zone or "UTC"
            check_settings(settings, faults)
            faults.raise_any()
            saved = change.put_settings(settings)
            return Saved(saved, tuple(_warnings(change, saved)))

        return await self._repository.change(author, work)


def _warnings(view: View, settings: Settings) -> list[str]:
    mail = [target for target in view.targets() if target.WhichOneof("kind") == "smtp"]
    warnings: list[str] = []
    nobody = [repr(each.name) for each in mail if not each.smtp.recipients]
    if nobody and not settings.default_recipients:
        warnings.append(
            f"{', '.join(nobody)} and the setting default_recipients name nobody: mail of "
            "subscriptions without their own recipients will wait"
        )
    no_sender = [repr(each.name) for each in mail if not each.smtp.from_address]
    if no_sender and not settings.sender:
        warnings.append(f"{', '.join(no_sender)} have no from address, and the sender is empty")
    return warnings
