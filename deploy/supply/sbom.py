"""What the product is made of: a CycloneDX document of what ``requirements.lock`` names.

``python deploy/supply/sbom.py FILE`` reads names, versions and licences from the environment that
runs it, leaves out what only developers need, checks that the rest is exactly what the lock says,
and validates the document. It holds no time and no serial number, so the same lock gives the same
bytes. Exit code 1: the environment is not that of the lock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
_PIN = re.compile(r"^[\w.\-\[\]]+==[^\\\n]+", re.MULTILINE)


def locked(lock: Path) -> dict[str, str]:
    """The version of each package of a lock that this platform installs, by canonical name."""
    pins = (Requirement(each.strip()) for each in _PIN.findall(lock.read_text(encoding="utf-8")))
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def installed() -> dict[str, Any]:
    """The document of all that is installed here, the developers' packages among it."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment"]
    command += ["--output-reproducible", "--no-validate"]
    command += ["--spec-version", "1.6", "--pyproject", str(ROOT / "pyproject.toml")]
    result = subprocess.run([*command, sys.executable], capture_output=True, check=True)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def only(document: Mapping[str, Any], pins: Mapping[str, str]) -> dict[str, Any]:
    """``document`` with the components of ``pins`` alone, and what they need of each other.

    ``ValueError`` where one is missing or has another version.
    """
    kept = [each for each in document["components"] if canonicalize_name(each["name"]) in pins]
    found = {canonicalize_name(each["name"]): each["version"] for each in kept}
    if found != pins:
        wrong = sorted({name for name, _ in found.items() ^ pins.items()})
        raise ValueError(f"installed is not what the lock says: {', '.join(wrong)}")
    product = document["metadata"]["component"]["bom-ref"]
    refs = {product} | {each["bom-ref"] for each in kept}
    needs = [
        {**each, "dependsOn": [ref for ref in each.get("dependsOn", ()) if ref in refs]}
        for each in document["dependencies"]
        if each["ref"] in refs
    ]
    return {**document, "components": [licensed(each) for each in kept], "dependencies": needs}


def licensed(component: dict[str, Any]) -> dict[str, Any]:
    """``component`` with its licence in the author's words, where those are no SPDX name."""
    words = metadata(component["name"])["License"]
    if "licenses" in component or not words:
        return component
    return {**component, "licenses": [{"license": {"name": words.splitlines()[0]}}]}


def main(file: Path) -> int:
    """Write the document; the exit code."""
    try:
        text = json.dumps(only(installed(), locked(LOCK)), indent=2, sort_keys=True) + "\n"
    except ValueError as error:
        print(f"{error}; run: make install", file=sys.stderr)
        return 1
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise RuntimeError(f"not CycloneDX: {fault}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {len(json.loads(text)['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
