"""Are faults known of the packages that we lock? Asks the OSV database by ``pip-audit``.

``python deploy/supply/vulnerabilities.py`` asks for both locks. Exit code 0: no fault is known of
any of them. 1: there are some, and they are listed. 75: the database did not answer for all of
them, so nothing is proved; CI prints that and goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
NOT_ASKED = 75
"""EX_TEMPFAIL: come back later."""


def ask(locks: tuple[str, ...] = LOCKS) -> tuple[str, str]:
    """What ``pip-audit`` prints, and what it complains of. It installs and resolves nothing."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv"]
    command += ["--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command += ["--format", "json", "--desc", "off"]
    command += [word for lock in locks for word in ("--requirement", str(ROOT / lock))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout, result.stderr


def verdict(output: str, complaints: str) -> tuple[int, list[str]]:
    """The exit code, and what to say.

    ``pip-audit`` is content with a package that it had to skip; here nothing is proved then.
    """
    try:
        answers = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        why = (complaints.strip() or "it said nothing").splitlines()[-1]
        return NOT_ASKED, [f"skipped: the database of vulnerabilities does not answer ({why})"]
    found = [
        f"{each['name']} {each['version']}: {fault['id']}, fixed in "
        + (", ".join(fault["fix_versions"]) or "no version yet")
        for each in answers
        for fault in each.get("vulns", ())
    ]
    skipped = [each for each in answers if "skip_reason" in each]
    if found:
        return 1, found
    if skipped or not answers:
        return NOT_ASKED, [f"skipped: nothing is known of {len(skipped)} packages of the locks"]
    return 0, [f"{len(answers)} packages, no fault known of any"]


def main() -> int:
    """Ask, and tell; the exit code."""
    code, lines = verdict(*ask())
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
