"""What the overview asks."""

from __future__ import annotations

from ibs_notify.console.commands.line import line

COVERAGE = line("coverage")
PLACES = line("coverage", flags=[("places", True)])
VERIFY_LEDGER = line("ledger", "verify")
