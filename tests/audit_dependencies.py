"""Known vulnerabilities of the pinned dependencies: `python -m tests.audit_dependencies`.

Fails if there is one. Where nobody can be asked, as without a network, it says so and passes: what
is known of a version today does not depend on this tree.
"""

import itertools
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

PATIENCE = 60.0
"""Seconds for all the answers."""


def pins() -> list[str]:
    """Return every pinned requirement, direct or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    direct = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    indirect = (ROOT / "constraints.txt").read_text().splitlines()
    lines = {line.strip() for line in [*direct, *indirect] if re.match(r"[^#]+==", line)}
    return sorted({re.sub(r"\[.*\]", "", line) for line in lines})


def verdict(report: dict[str, Any]) -> tuple[str, bool]:
    """Return what pip-audit's report says in a sentence or more, and whether all is well."""
    packages = report["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']} {package['version']}: {vuln['id']}, mended in "
        f"{', '.join(vuln['fix_versions']) or 'no version yet'}"
        for package in asked
        for vuln in package["vulns"]
    ]
    if found:
        return "\n".join(found), False
    if not asked:
        return "No package was audited: the registry tells nothing of vulnerabilities.", True
    return f"{len(asked)} of {len(packages)} packages audited: no known vulnerability.", True


def main() -> None:
    """Audit, and exit 1 if a vulnerability is known."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(pins()))
        requirements.flush()
        options = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", "-r", requirements.name, *options],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            said, is_well = verdict(json.loads(done.stdout))
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            said, is_well = "The dependency audit is skipped: its service does not answer.", True
    print(said)
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
