"""The entry point of ``ironcore-backup``."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import NoReturn

from ibs_notify.cli.completion import PROGRAM, VARIABLE
from ibs_notify.cli.tree import root


def main() -> NoReturn:
    """Run the command line and exit with one of the codes of ``errors.Exit``."""
    # gRPC's own log lines are for those who debug it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character gets its number.
            stream.reconfigure(errors="backslashreplace")
    root.main(prog_name=PROGRAM, complete_var=VARIABLE)


if __name__ == "__main__":
    main()
