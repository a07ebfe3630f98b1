"""Run the Router: settings, then serve."""

from __future__ import annotations

from ibs_notify.rpc.lifecycle import leave, run_service, silence_grpc


def main() -> int:
    """The process."""
    silence_grpc()
    from ibs_notify.router.app import RouterApp  # noqa: PLC0415  # it imports gRPC

    return run_service("router", RouterApp)


if __name__ == "__main__":
    leave(main())
