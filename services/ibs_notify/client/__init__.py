"""What a Python program that emits events imports; docs/api.md has an example.

``Notifier`` is for threads, ``AsyncNotifier`` for asyncio. Reading order: ``notifier`` (what a
program sees), ``sender`` (batches and retries), ``retry`` (what a failure means), ``buffer`` and
``spool`` (where events wait).
"""

from ibs_notify.client.aio import AsyncNotifier
from ibs_notify.client.notifier import Notifier
from ibs_notify.client.receipt import NotAcknowledged, Receipt

__all__ = ["AsyncNotifier", "NotAcknowledged", "Notifier", "Receipt"]
