"""``inbox watch``: events as they are accepted, over every outage of the Router."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click
import yaml

from ibs_notify.cli.output import document, json_text, moment, severity, warn
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import OutOfRange, ResourceExhausted, Unavailable
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import router_service_pb2 as pb

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0


class Watch:
    """Yields every event once. A token counts as used when its event was taken, so a break in
    between repeats nothing and leaves out nothing."""

    def __init__(
        self,
        session: Session,
        chosen: pb.EventFilter,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._chosen = chosen
        self._pause = pause
        self._token = ""
        self._last: pb.EventRecord | None = None

    def events(self) -> Iterator[pb.EventRecord]:
        """Endless. Fails where the Router cannot be reached at the start, or refuses the filter."""
        self._see_that_it_serves()
        pause, lost = FIRST_PAUSE_SECONDS, False
        while True:
            problem = "the Router ended the watch"
            try:
                for answer in self._answers():
                    if lost:
                        click.echo("note: the watch goes on", err=True)
                    pause, lost = FIRST_PAUSE_SECONDS, False
                    if answer.HasField("event"):
                        yield answer.event
                        self._last = answer.event
                    self._token = answer.resume_token
            except OutOfRange:
                if not self._token:
                    raise
                self._token = ""
                self._tell_of_gap()
                continue
            except (Unavailable, ResourceExhausted) as error:
                problem = error.message
            if not lost:
                click.echo(f"note: {harmless(problem)}; waiting for it", err=True)
                if not self._token:
                    self._tell_of_gap()
            lost = True
            self._pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _see_that_it_serves(self) -> None:
        request = pb.RouterServiceAwaitConfigRequest()
        self._session.call(self._session.router.AwaitConfig, request)

    def _answers(self) -> Iterator[pb.WatchEventsResponse]:
        request = pb.WatchEventsRequest(resume_token=self._token, filter=self._chosen)
        return self._session.stream(self._session.router.WatchEvents, request)

    def _tell_of_gap(self) -> None:
        since = (
            f" --after {moment(self._last.receive_time).replace(' ', 'T')}" if self._last else ""
        )
        warn(f"some events may be missing here; to see them: event list{since}")


def print_watched(record: pb.EventRecord, output: str) -> None:
    """A line for people; a document for programs, JSON in one line."""
    if output == "json":
        click.echo(json_text(document(record)))
    elif output == "yaml":
        click.echo("---\n" + yaml.safe_dump(document(record), sort_keys=False), nl=False)
    else:
        event = record.event
        about = event.subject or event.resource
        click.echo(
            harmless(
                f"{moment(record.receive_time)}  {severity(event.severity):<8}  {event.type}  "
                f"{about + '  ' if about else ''}{event.event_id}"
            )
        )
