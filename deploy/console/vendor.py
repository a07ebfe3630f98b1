"""Put what browsers need of other projects where the console serves it from.

``npm ci`` fetches what ``package-lock.json`` pins, each checked against its hash. What is copied is
not ours, so it is not in the history of this repository; a built package holds it, so that users
need no npm. Run by ``make install`` and ``make assets``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
VENDOR = HERE.parents[1] / "services" / "ibs_notify" / "console" / "static" / "vendor"
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE": "htmx.org/LICENSE",
    "sse.min.js": "htmx-ext-sse/dist/sse.min.js",
    "sse.LICENSE": "htmx-ext-sse/LICENSE",
    "uplot.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.min.css": "uplot/dist/uPlot.min.css",
    "uplot.LICENSE": "uplot/LICENSE",
}


def main() -> int:
    """0 done, 1 npm failed: it said why."""
    ours = str(Path(sys.executable).with_name("npm"))
    # The machine's own knows a mirror that ours does not.
    commands = [each for each in (shutil.which("npm"), ours) if each]
    if not any(_fetched(npm) for npm in dict.fromkeys(commands)):
        print("the console's scripts could not be fetched; its pages work without", file=sys.stderr)
        return 1
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(MODULES / source, VENDOR / name)
    return 0


def _fetched(npm: str) -> bool:
    """Whether ``npm`` could be run and did it."""
    try:
        return not subprocess.run([npm, "ci", "--loglevel=error"], cwd=HERE, check=False).returncode
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
