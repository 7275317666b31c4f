"""The files that images and containers are made from, by the linters of their formats."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "tests/deployment/stand-ins.Dockerfile"])
def test_hadolint_finds_nothing(dockerfile: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, ROOT / dockerfile], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_compose_file_keeps_to_the_specification() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_each_container_can_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_api_is_reached_from_outside_and_by_default_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]}


def test_database_and_broker_have_no_way_out() -> None:
    assert COMPOSE["networks"]["board"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["networks"] == ["board"]


def test_the_compose_file_holds_no_secret() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            secret = any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "KEY", "URL"))
            assert not secret or value is None or value.startswith("/secrets"), name


@pytest.mark.parametrize("name", ["api", "worker", "worker-gpu"])
def test_what_serves_starts_once_the_board_is_prepared(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {
        "prepare": {"condition": "service_completed_successfully"},
        "valkey": {"condition": "service_healthy"},
    }


def test_a_gpu_is_asked_for_in_its_profile_alone() -> None:
    assert [name for name, it in SERVICES.items() if "profiles" in it] == ["worker-gpu"]
    reserved = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


def test_images_hold_what_is_packaged_and_nothing_else() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    taken = {line.removeprefix("!/") for line in lines if line.startswith("!")}
    assert taken == packages | {"pyproject.toml", "constraints.txt", "README.md"}
