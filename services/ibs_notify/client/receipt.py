"""What an emitter holds of an event: its id, and in time the Router's answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from ibs_notify.domain.errors import Reason, Unavailable
from ironcore.notification.v1 import router_service_pb2 as pb

Answer: TypeAlias = "Future[pb.EmitResponse]"
_NAMED = 10


def _pending() -> Answer:
    answer: Answer = Future()
    # From here on nobody can cancel it: the event is on its way.
    answer.set_running_or_notify_cancel()
    return answer


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Receipt:
    """An event that was taken to be sent. It need not be kept: the event is sent all the same."""

    event_id: str
    answer: Answer = field(default_factory=_pending, repr=False)

    def result(self, timeout: float | None = None) -> pb.EmitResponse:
        """Wait for the Router's answer: the event is durable there.

        ``event_id``, ``duplicate``, ``dispositions`` and ``warnings``, as the API documents them.
        Raises what the Router refused the event with (``AlreadyExists``, ``InvalidArgument``),
        ``Unavailable`` or ``ResourceExhausted`` where it was given up or is left in the spool, and
        ``TimeoutError`` after ``timeout`` seconds.
        """
        return self.answer.result(timeout)

    @property
    def done(self) -> bool:
        """Whether ``result`` returns or raises at once."""
        return self.answer.done()

    def when_done(self, call: Callable[[Receipt], None]) -> None:
        """``call(receipt)`` once there is an answer, from the sender's thread: keep it short."""
        self.answer.add_done_callback(lambda _: call(self))


class NotAcknowledged(Unavailable):
    """The Router did not answer for ``event_ids`` in time: they may be stored there or not."""

    def __init__(self, event_ids: Sequence[str]) -> None:
        self.event_ids = tuple(event_ids)
        count = len(self.event_ids)
        more = f" and {count - _NAMED} more" if count > _NAMED else ""
        super().__init__(
            Reason.SERVICE_UNREACHABLE,
            f"the Router did not acknowledge {', '.join(self.event_ids[:_NAMED])}{more}",
            advice="emit them again with the same event_id, or give the notifier a spool",
        )
