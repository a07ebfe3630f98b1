"""Run the Router: settings, then serve."""

from __future__ import annotations

import sys

from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.lifecycle import run_service


def main() -> int:
    """The process."""
    return run_service("router", RouterApp)


if __name__ == "__main__":
    sys.exit(main())
