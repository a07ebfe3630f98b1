"""Run Config: settings, then serve."""

from __future__ import annotations

import sys

from ibs_notify.config.app import ConfigApp
from ibs_notify.rpc.lifecycle import run_service


def main() -> int:
    """The process."""
    return run_service("config", ConfigApp)


if __name__ == "__main__":
    sys.exit(main())
