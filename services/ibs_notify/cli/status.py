"""``notification status``: do the services serve?"""

from __future__ import annotations

import sys

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.cli.delivery_view import held_warnings
from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import Table, output_option, print_document, print_table, warn_all
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import NotificationError
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import delivery_service_pb2

_SECONDS = 2.0


@click.command("status")
@output_option
def status(output: str) -> None:
    """Ask each service whether it serves. Exit code 5 where one does not.

    Where Delivery holds its queue, as after a restore, a warning says so.

    \b
    Example:
      ironcore-backup notification status
    """
    with Session() as session:
        rows = [(each, session.endpoint(each).address, _state(session, each)) for each in SERVICES]
        warnings = _held_warnings(session)
    if output == "table":
        print_table(Table(("Service", "Address", "State"), rows))
    else:
        keys = ("service", "address", "state")
        print_document([dict(zip(keys, row, strict=True)) for row in rows], output)
    warn_all(warnings)
    if any(state != "serving" for _, _, state in rows):
        sys.exit(Exit.UNAVAILABLE)


def _state(session: Session, service: ServiceName) -> str:
    stub = health_pb2_grpc.HealthStub(session.channel(service))
    try:
        answer = stub.Check(  # type: ignore[attr-defined]  # the stubs leave it out
            health_pb2.HealthCheckRequest(), timeout=_SECONDS
        )
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return "does not answer"
        return "cannot be reached"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return "serving" if serving else "not ready"


def _held_warnings(session: Session) -> list[str]:
    """None where Delivery does not answer: its state says so."""
    request = delivery_service_pb2.ListTroubledTargetsRequest()
    try:
        answer = session.call(session.delivery.ListTroubledTargets, request, timeout=_SECONDS)
    except NotificationError:
        return []
    return held_warnings(answer)
