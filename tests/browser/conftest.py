"""A board that `cosmoboard up` serves, and a Chromium that looks at it."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from board.database import make_engine
from cli.launch import endpoints
from tests.boards import Board
from tests.launched import FirstRun, Up, first_run, served_copy

__all__ = ["first_run"]

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)

DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="session")
def up(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The whole service, the baseline's submissions scored."""
    with served_copy(first_run, tmp_path_factory.mktemp("browser") / "data") as up:
        yield up


@pytest.fixture(scope="session")
def board(up: Up) -> Iterator[Board]:
    """Changes the state behind it as the host and the workers would."""
    endpoint = endpoints.known_endpoint(up.folder, "postgres")
    assert endpoint
    engine = make_engine(endpoints.database_url(endpoint))
    yield Board(engine, up.folder)
    engine.dispose()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian: apt install chromium), nor in CHROMIUM")
    with sync_playwright() as playwright:
        # Root has no sandbox: the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, up: Up) -> Iterator[Visit]:
    """Opens a page of the board, signed in with a token if one is given.

    Whatever the test is about, no page may ask another origin, run what is not ours, or fail.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def visit(
        path: str,
        token: str | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
    ) -> Page:
        context = chromium.new_context(
            base_url=up.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: note(request.url, not own(request.url)))
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda message: note(message.text, alarming(message.text)))
        page.on("dialog", answer)
        if token:
            page.goto("/sign-in")
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/me")
        page.goto(path)
        return page

    def note(fault: str, is_fault: bool = True) -> None:
        if is_fault:
            faults.append(fault)

    def own(url: str) -> bool:
        return url.startswith((f"{up.url}/", "data:", "blob:"))

    def alarming(text: str) -> bool:
        return "Content Security Policy" in text or "Uncaught" in text

    def answer(dialog: Dialog) -> None:
        note(f"{dialog.type}: {dialog.message}", dialog.type != "beforeunload")
        dialog.accept()

    yield visit
    for context in contexts:
        context.close()
    assert faults == []
