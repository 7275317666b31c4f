"""The pages in a real browser, over the real stack: what people do on them, and what they are."""

import base64
import hashlib
import io
import os
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import func, update

from baseline.shipped import SAMPLES
from board.models import CopyCheck, Reference
from cubes.tracks import TRACKS
from tests.boards import Board
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.launched import Up
from tests.processes import eventually

IMAGES = Path(__file__).parents[2] / "docs" / "images"

SCORING = 60_000  # milliseconds, on a busy machine

LOGNORMAL = SAMPLES / "lognormal-3d-32.npz"


def drop(page: Page, content: bytes, name: str) -> None:
    """Drop a file onto the form, as a file manager would."""
    transfer = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), name],
    )
    page.dispatch_event("#dropzone", "drop", {"dataTransfer": transfer})


def npz(**arrays: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def pixels(page: Page, canvas: str) -> str:
    """Return what a canvas shows."""
    return page.evaluate("(id) => document.getElementById(id).toDataURL()", canvas)


@contextmanager
def stopped(up: Up, service: str) -> Iterator[None]:
    """Hold a service still meanwhile."""
    os.kill(up.pid(service), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(up.pid(service), signal.SIGCONT)


def baseline_submission(up: Up) -> str:
    """Return one that is scored, with statistics and slices."""
    rows = up.get("/leaderboard", track="3d-64")["rows"]
    return next(row["submission"] for row in rows if row["submission"])


def all_compared_with_leader(up: Up) -> bool:
    rows = up.get("/leaderboard", track="3d-64")["rows"]
    return all(row["tied_with_leader"] is not None for row in rows if row["submission"])


def test_the_four_pages_are_fit_to_be_shown(
    visit: Visit, board: Board, up: Up, tmp_path: Path
) -> None:
    """With COSMOBOARD_SCREENSHOTS set, it makes the pictures of the README."""
    folder = IMAGES if os.environ.get("COSMOBOARD_SCREENSHOTS") else tmp_path
    page = visit("/submit?track=3d-32", board.token("Ada"), size=(1280, 800))
    page.get_by_label("Method").fill("My model")
    drop(page, LOGNORMAL.read_bytes(), "cubes.npz")
    expect(page.locator("#verdict")).to_contain_text("ready to submit")
    page.screenshot(path=folder / "submit.png")
    assert eventually(lambda: all_compared_with_leader(up))
    page = visit("/", size=(1280, 1010))
    page.screenshot(path=folder / "leaderboard.png")
    page.goto("/about")
    page.screenshot(path=folder / "about.png")
    page.set_viewport_size({"width": 1280, "height": 2300})
    page.goto(f"/submissions/{baseline_submission(up)}")
    expect(page.locator("#slice-player")).to_be_visible()
    page.screenshot(path=folder / "submission.png")
    for name in ("submit", "leaderboard", "about", "submission"):
        assert (folder / f"{name}.png").stat().st_size > 20_000, name


def test_a_dropped_archive_is_uploaded_scored_ranked_and_played(visit: Visit, board: Board) -> None:
    page = visit("/submit?track=3d-32", board.token("ada"))
    page.get_by_label("Method").fill("Dropped")
    page.get_by_text("More about the method").click()
    page.get_by_label("Parameters").fill("12000000")
    drop(page, LOGNORMAL.read_bytes(), "cubes.npz")
    expect(page.locator("#verdict")).to_contain_text("30 fields: ready to submit")
    page.get_by_role("button", name="Submit").click()

    page.wait_for_url("**/submissions/*")
    expect(page.get_by_role("heading", name="Dropped")).to_be_visible()
    expect(page.locator(".outcome")).to_contain_text("on 3d-32", timeout=SCORING)
    expect(page.get_by_text("Against the training set d² is").first).to_be_visible()
    expect(page.locator("figure svg.plot")).to_have_count(3)

    expect(page.locator("#slice-player")).to_be_visible()
    number, first = page.locator("#slices-number"), pixels(page, "slices-submission")
    assert number.text_content() == "16 of 32"
    assert first != pixels(page, "slices-real")
    page.get_by_role("button", name="Play").click()
    expect(number).not_to_have_text("16 of 32")
    page.get_by_role("button", name="Pause").click()
    assert pixels(page, "slices-submission") != first
    page.get_by_label("Depth").focus()
    page.keyboard.press("Home")
    expect(number).to_have_text("1 of 32")
    page.keyboard.press("ArrowRight")
    expect(number).to_have_text("2 of 32")

    page.get_by_role("link", name="3d-32").first.click()
    row = page.get_by_role("row").filter(has_text="Dropped")
    expect(row).to_contain_text("ada")
    expect(row).to_contain_text("12\u2009000\u2009000 parameters")


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"no archive at all", "This is not an .npz archive, or it was cut short"),
        (LOGNORMAL.read_bytes()[:-100], "This is not an .npz archive, or it was cut short"),
        (
            npz(fields=np.ones((30, 8, 8, 8), np.float32)),
            "'fields' has shape (30, 8, 8, 8): track 3d-32 takes 30 arrays of shape (32, 32, 32)",
        ),
    ],
    ids=["text", "cut", "other-shape"],
)
def test_what_cannot_be_scored_is_said_before_it_is_sent(
    visit: Visit, board: Board, content: bytes, verdict: str
) -> None:
    page = visit("/submit?track=3d-32", board.token("ada"))
    page.get_by_label("Method").fill("Refused")
    drop(page, content, "cubes.npz")
    expect(page.locator("#verdict")).to_contain_text(verdict)
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()


def test_a_submission_shows_where_it_stands_until_it_is_scored(
    visit: Visit, board: Board, up: Up
) -> None:
    token = board.token("bob")
    with stopped(up, "worker"):
        submission = up.submit(token, "clipped-gaussian-3d-32.npz", "3d-32")
        page = visit(f"/submissions/{submission}", token)
        expect(page.locator("#state-text")).to_contain_text("Number 1 in the queue.")
        expect(page.locator("[aria-current=step]")).to_have_text("Queued")
        stranger = visit(f"/submissions/{submission}")
        expect(stranger.get_by_text("A submission is public once it is scored.")).to_be_visible()
    expect(page.locator(".outcome")).to_contain_text("Scored", timeout=SCORING)
    stranger.reload()
    expect(stranger.get_by_role("heading", name="mine")).to_be_visible()


def test_an_upload_of_300_mb_survives_a_killed_server_and_a_reloaded_page(
    visit: Visit, board: Board, up: Up, tmp_path: Path
) -> None:
    archive = large_archive(tmp_path / "large.npz")
    with archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    token = board.token("eve")
    with opened(board, "3d-256"):
        upload_in_three_parts(visit, up, archive, sha256, token)


def upload_in_three_parts(visit: Visit, up: Up, archive: Path, sha256: str, token: str) -> None:
    page = visit("/submit?track=3d-256", token)
    page.get_by_label("Method").fill("Large")
    page.locator("#file").set_input_files(archive)
    page.get_by_role("button", name="Submit").click()
    wait_for_megabytes(page, 50)
    before = up.pid("api")

    os.kill(before, signal.SIGKILL)

    assert eventually(lambda: up.pid("api") != before)
    wait_for_megabytes(page, 100, timeout=100_000)

    page.reload()

    expect(page.get_by_role("heading", name="Unfinished uploads")).to_be_visible()
    page.locator("#track").select_option("3d-256")
    page.locator("#file").set_input_files(archive)
    expect(page.get_by_label("Method")).to_have_value("Large")
    page.get_by_role("button", name="Resume").click()
    wait_for_megabytes(page, 100, timeout=5_000)  # it goes on, rather than beginning again
    page.wait_for_url("**/submissions/*", timeout=60_000)
    submission = page.url.rpartition("/")[2]
    assert up.get(f"/submissions/{submission}", token)["sha256"] == sha256


@contextmanager
def opened(board: Board, track: str) -> Iterator[None]:
    board.open_track(track)
    try:
        yield
    finally:
        closed = update(Reference).where(Reference.track == track).values(is_current=False)
        with board.session() as session:
            session.execute(closed)


def large_archive(path: Path) -> Path:
    """Write 300 MB that are valid: 18 fields of noise, stored, and 12 of ones, deflated."""
    side = TRACKS["3d-256"].side
    noise = np.random.default_rng(1).integers(1, 250, side**3, np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for i in range(TRACKS["3d-256"].count):
            field = np.roll(noise, i) if i < 18 else np.ones(side**3, np.uint8)
            method = zipfile.ZIP_STORED if i < 18 else zipfile.ZIP_DEFLATED
            entry = zipfile.ZipInfo(f"field-{i:02}.npy")
            entry.compress_type = method
            with archive.open(entry, "w") as member:
                np.lib.format.write_array(member, field.reshape((side,) * 3))
    assert path.stat().st_size > 300e6
    return path


def wait_for_megabytes(page: Page, least: int, timeout: int = 60_000) -> None:
    page.wait_for_function(
        """(least) => {
            const text = document.getElementById("upload-text").textContent;
            const said = /^([0-9.]+) MB of/.exec(text);
            return said && Number(said[1]) >= least;
        }""",
        arg=least,
        timeout=timeout,
    )


def test_everything_can_be_done_by_keyboard(visit: Visit, board: Board) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("navigation", name="Tracks").get_by_role("link").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?track=3d-32")

    page = visit("/submit?track=3d-32", board.token("ada"))
    page.get_by_label("Method").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    assert page.locator("#dropzone").evaluate("(zone) => getComputedStyle(zone).outlineStyle") != (
        "none"
    )


@pytest.mark.parametrize("width", [320, PHONE[0]])
def test_no_page_is_wider_than_a_phone(visit: Visit, board: Board, up: Up, width: int) -> None:
    own = f"/submissions/{baseline_submission(up)}"
    stranger = visit("/sign-in", size=(width, 700))
    assert width_of(stranger) == width
    page = visit("/", board.token("host", is_host=True), size=(width, 700))
    for path in ("/", own, "/submit", "/about", "/me", "/host", "/docs"):
        page.goto(path)
        assert width_of(page) == width, path


def width_of(page: Page) -> int:
    """Return how many pixels a page is wide, with what one must scroll to."""
    return page.evaluate("document.documentElement.scrollWidth")


EVIL = """'"><img src=x onerror=hacked=1><script>hacked=1</script>{{7*7}}"""
"""What a participant may write where there is room for 100 characters."""


@pytest.fixture(scope="module")
def hostile(board: Board, up: Up) -> list[str]:
    """Paths of pages that show hostile text in every field there is."""
    board.token(EVIL, is_host=True)
    form = dict.fromkeys(("method", "parameters", "training_compute", "extra_data"), EVIL)
    more = {"description": EVIL * 20, "url": f"https://example.org/{EVIL}"}
    with stopped(up, "worker"):
        scored = board.scored(0.3, EVIL, **form, **more)
        failed = board.queued(EVIL, **form, **more)
        board.failed(failed, "negative", EVIL)
        running = board.queued(EVIL, **form, **more)
        board.running(7, running)
    with board.session() as session:
        session.add(
            CopyCheck(
                submission_id=scored,
                reference_id=session.query(Reference.id).filter_by(track="3d-32").first()[0],
                checked_at=func.now(),
                copies=[copy_of(source) for source in ("training", "submission")],
                held_out_copies=[copy_of("held-out")],
            )
        )
    pages = [f"/submissions/{submission}" for submission in (scored, failed, running)]
    return ["/?track=3d-32", "/me", "/host", *pages]


def copy_of(source: str) -> dict[str, object]:
    return {
        "field": 3,
        "original": 5,
        "source": source,
        "kind": EVIL,
        "symmetry": EVIL,
        "shift": [1, 2, 3],
        "correlation": 0.9,
        "significance": 40.0,
    }


def test_hostile_text_is_shown_and_nothing_of_it_is_run(
    visit: Visit, board: Board, hostile: list[str]
) -> None:
    """`visit` fails on a script that the policy had to stop, on dialogs and on foreign requests."""
    page = visit("/", board.token(EVIL))
    for path in hostile:
        page.goto(path)
        expect(page.locator("body")).to_contain_text(EVIL)
        assert page.evaluate("typeof hacked") == "undefined", path
        assert page.locator("img[src=x]").count() == 0, path
    page.goto("/submit?track=3d-32")
    page.get_by_label("Method").fill(EVIL)
    drop(page, archive_with_member(EVIL), f"{EVIL.replace('/', '')}.npz")
    expect(page.locator("#verdict")).to_contain_text(EVIL)
    assert page.evaluate("typeof hacked") == "undefined"


def archive_with_member(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"nothing")
    return content.getvalue()


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_no_page_has_a_fault_of_accessibility(
    visit: Visit, board: Board, up: Up, hostile: list[str], scheme: str, size: tuple[int, int]
) -> None:
    own = f"/submissions/{baseline_submission(up)}"
    page = visit("/sign-in", size=size, scheme=scheme)
    found = {"/sign-in": faults(page)}
    page = visit("/", board.token("host", is_host=True), size=size, scheme=scheme)
    for path in ("/", "/?track=2d-32", own, "/submit", "/about", "/docs", "/nothing", *hostile):
        page.goto(path)
        page.wait_for_load_state("networkidle" if path == own else "load")
        found[path] = faults(page)
    assert {path: told for path, told in found.items() if told} == {}


def faults(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]}" for fault in violations for node in fault["nodes"]
    ]
