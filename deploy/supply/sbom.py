"""What the product is made of: a CycloneDX document of what the locks name.

``python deploy/supply/sbom.py FILE`` reads names, versions and licences from the environment that
runs it, leaves out what only developers need, and checks that the rest is exactly what
``requirements.lock`` says. It adds what the console serves to browsers, from ``package-lock.json``
of ``deploy/console``, and validates the document. That holds no time and no serial number, so the
same locks give the same bytes. Exit code 1: the environment is not that of the lock.
"""

from __future__ import annotations

import base64
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
BROWSER_LOCK = ROOT / "deploy" / "console" / "package-lock.json"
_UNSAID = {"htmx-ext-sse": "0BSD"}
"""Licences that the lock leaves out; their files are beside the code that is served."""
_MODULES = "node_modules/"
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


def served(lock: Path) -> list[dict[str, Any]]:
    """A component for each package of npm that browsers are served a file of."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return [
        {
            "type": "library",
            "bom-ref": (
                purl := f"pkg:npm/{(name := path.removeprefix(_MODULES))}@{each['version']}"
            ),
            "purl": purl,
            "name": name,
            "version": each["version"],
            "licenses": [{"license": {"id": each.get("license") or _UNSAID[name]}}],
            "hashes": [{"alg": "SHA-512", "content": _hex(each["integrity"])}],
        }
        for path, each in packages.items()
        if path and not each.get("dev")
    ]


def _hex(integrity: str) -> str:
    return base64.b64decode(integrity.removeprefix("sha512-")).hex()


def with_served(document: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """``document`` with ``parts``, which the product needs directly."""
    product = document["metadata"]["component"]["bom-ref"]
    refs = sorted(each["bom-ref"] for each in parts)
    needs = [
        {**each, "dependsOn": [*each.get("dependsOn", ()), *refs]}
        if each["ref"] == product
        else each
        for each in document["dependencies"]
    ]
    return {
        **document,
        "components": [*document["components"], *parts],
        "dependencies": [*needs, *({"ref": ref} for ref in refs)],
    }


def licensed(component: dict[str, Any]) -> dict[str, Any]:
    """``component`` with its licence in the author's words, where those are no SPDX name."""
    words = metadata(component["name"])["License"]
    if "licenses" in component or not words:
        return component
    return {**component, "licenses": [{"license": {"name": words.splitlines()[0]}}]}


def main(file: Path) -> int:
    """Write the document; the exit code."""
    try:
        document = with_served(only(installed(), locked(LOCK)), served(BROWSER_LOCK))
    except ValueError as error:
        print(f"{error}; run: make install", file=sys.stderr)
        return 1
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise RuntimeError(f"not CycloneDX: {fault}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {len(json.loads(text)['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
