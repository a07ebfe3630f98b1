"""Events to try templates on where none is stored yet."""

from __future__ import annotations

from ironcore.notification.v1.event_pb2 import Event

SAMPLE = Event(
    event_id="evt-2026-05-21-001",
    type="backup.failed",
    subject="Backup failed for vm/12345",
    summary="Task failed at chunk upload step: connection refused",
    task_id="UPID:ibs-primary:00001A2B:backup:vm/12345",
    actor="scheduler@ibs",
    resource="ibs-primary:production/vm/12345",
    labels={"site": "vienna", "vm-id": "12345"},
)
SAMPLES = (
    SAMPLE,
    Event(
        type="verify.corrupt",
        subject="Corrupt chunk in vm/201",
        resource="ibs-primary:production/vm/201",
    ),
    *(
        Event(
            type="backup.completed",
            subject=f"Backup of vm/{number} completed",
            resource=f"ibs-primary:production/vm/{number}",
        )
        for number in range(100, 105)
    ),
)
"""What a digest of a small night would gather."""
