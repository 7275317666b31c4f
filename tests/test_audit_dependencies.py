"""The audit of dependencies: what it makes of what pip-audit says."""

import tomllib

from tests.audit_dependencies import ROOT, pins, verdict


def package(**more: object) -> dict[str, object]:
    return {"name": "click", "version": "8.5.1", "vulns": [], **more}


def test_it_asks_for_every_pin_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["dependencies"]) <= set(pins())
    assert "celery==5.7.0" in pins()  # its extra is of no matter
    assert len(pins()) > 100


def test_a_known_vulnerability_fails_with_the_version_that_mends_it() -> None:
    flaw = {"id": "PYSEC-1", "fix_versions": ["8.5.2"]}
    said, is_well = verdict({"dependencies": [package(), package(vulns=[flaw])]})
    assert (said, is_well) == ("click 8.5.1: PYSEC-1, mended in 8.5.2", False)


def test_what_cannot_be_asked_for_is_told_and_fails_nothing() -> None:
    said, is_well = verdict({"dependencies": [{"name": "click", "skip_reason": "unknown"}]})
    assert is_well
    assert said.startswith("No package was audited")
    said, is_well = verdict({"dependencies": [package(), {"name": "x", "skip_reason": "unknown"}]})
    assert (said, is_well) == ("1 of 2 packages audited: no known vulnerability.", True)
