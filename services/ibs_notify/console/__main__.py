"""Run the console: settings, then serve."""

from __future__ import annotations

from ibs_notify.rpc.lifecycle import leave, run_service, silence_grpc


def main() -> int:
    """The process."""
    silence_grpc()
    from ibs_notify.console.app import ConsoleApp  # noqa: PLC0415  # it imports gRPC

    return run_service("console", ConsoleApp)


if __name__ == "__main__":
    leave(main())
