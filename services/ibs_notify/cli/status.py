"""``notification status``: do the services serve?"""

from __future__ import annotations

import sys

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import Table, output_option, print_document, print_table
from ibs_notify.cli.session import Session
from ibs_notify.settings import SERVICES, ServiceName

_SECONDS = 2.0


@click.command("status")
@output_option
def status(output: str) -> None:
    """Ask each service whether it serves. Exit code 5 where one does not.

    \b
    Example:
      ironcore-backup notification status
    """
    with Session() as session:
        rows = [(each, session.settings.address(each), _state(session, each)) for each in SERVICES]
    if output == "table":
        print_table(Table(("Service", "Address", "State"), rows))
    else:
        keys = ("service", "address", "state")
        print_document([dict(zip(keys, row, strict=True)) for row in rows], output)
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
