"""What the overview asks."""

from __future__ import annotations

from ibs_notify.console.commands.line import line

COVERAGE = line("coverage")
VERIFY_LEDGER = line("ledger", "verify")
