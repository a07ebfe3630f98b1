"""The real command line, against which what the console says of it is held."""

from __future__ import annotations

from tests.unit.cli.conftest import _servers, cli

__all__ = ["_servers", "cli"]
