"""``python -m tests.fuzz``: see ``--help``; the exit status is 1 where something was found."""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.fuzz import rpcs
from tests.fuzz.entries import ENTRIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    known = ["rpcs", "rpcs-postgresql", *ENTRIES]
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(known)}; without any: all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each; default 60")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = given.names or known
    if unknown := set(names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    found = 0
    for name in names:
        print(f"== {name}", flush=True)
        if name.startswith("rpcs"):
            found += rpcs.run(given.seconds, given.seed, postgresql=name != "rpcs")
        else:
            found += _run_atheris(name, given.seconds, given.seed)
    print("nothing was found" if not found else f"found something in {found} places")
    return 1 if found else 0


def _run_atheris(name: str, seconds: float, seed: int) -> int:
    """In a process of its own: atheris ends the one that it runs in."""
    command = [sys.executable, "-m", "tests.fuzz.entry", name, str(int(seconds)), str(seed)]
    return int(subprocess.run(command, check=False).returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
