"""Run Delivery: settings, then serve."""

from __future__ import annotations

import sys

from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.rpc.lifecycle import run_service


def main() -> int:
    """The process."""
    return run_service("delivery", DeliveryApp)


if __name__ == "__main__":
    sys.exit(main())
