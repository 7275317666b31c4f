"""The documentation: its commands run, its tables are complete, its links lead somewhere."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import routed_app
from api.reference_markdown import markdown_of
from board.models import STATES
from cubes.errors import ArchiveError
from cubes.tracks import TRACKS
from tests.launched import FirstRun, Up, environment, first_run, served_copy

__all__ = ["first_run"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PRELUDE = """\
set -euo pipefail
make() { command make --dry-run -C "$ROOT" "$@" > /dev/null; }  # the test has begun already
"""
"""Before the commands of a page: the first that fails ends them."""


@pytest.fixture(scope="module")
def up(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The board that the pages are about, in `data` of the folder in which they are followed."""
    with served_copy(first_run, tmp_path_factory.mktemp("docs") / "data") as up:
        yield up


@pytest.mark.parametrize("page", ["quick-start", "submit", "host"])
def test_the_commands_of_a_page_run_as_they_are(up: Up, page: str) -> None:
    script = "\n".join(runnable(kind, block) for kind, block in FENCE.findall(text(page)))
    done = subprocess.run(
        ["bash", "-c", PRELUDE + script.replace("http://127.0.0.1:8000", up.url)],
        cwd=up.folder.parent,
        env=environment(
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            ROOT=str(ROOT),
            COSMOBOARD_TOKEN=up.token(f"reader of {page}"),
            COSMOBOARD_URL=up.url,
            XDG_CONFIG_HOME=str(up.folder.parent / "config"),
        ),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def runnable(kind: str, block: str) -> str:
    return block if kind == "sh" else f"python - <<'END_OF_BLOCK'\n{block}END_OF_BLOCK"


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text()


def test_the_api_reference_is_current() -> None:
    """`make docs` writes it."""
    assert text("api") == markdown_of(routed_app().openapi())


def test_the_protocol_names_every_state_reason_and_track() -> None:
    page = text("protocol")
    reasons = re.findall(r"`(\w+)`", ArchiveError.__doc__.partition("One of")[2])
    for name in (*STATES, *reasons, *TRACKS):
        assert f"`{name}`" in page, name
    for track in TRACKS.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{track.name}`"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == str(track.count)
        assert [float(cell) for cell in cells[3:]] == [track.box_side, track.mean]


@pytest.mark.parametrize("page", sorted(path.stem for path in DOCS.glob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text(page)):
        name, _, anchor = target.partition("#")
        linked = DOCS / name if name else DOCS / f"{page}.md"
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def slug(heading: str) -> str:
    """Return what a link to a heading ends with, as forges make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")
