"""The web application: `uvicorn api.app:create_app --factory`."""

import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.concurrency import run_in_threadpool

from api import (
    health,
    host_pages,
    leaderboard,
    openapi,
    pages,
    participants,
    sign_in,
    snapshots,
    statistics,
    submissions,
    tracks,
    uploads,
)
from api.complete_upload import tend_uploads
from api.middleware import FixedHeaders, Lingering
from api.problems import answer_with_problems, problem_responses
from api.render import error_page
from api.upload_files import UploadFolder
from board.settings import get_settings
from board.storage import open_storage
from board.sweeper import remove_orphans, sweep

_log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    """Return the application: the API under /api/v1 and the pages.

    Raises:
        SettingsError: The environment lacks a setting or holds an unsafe one.
    """
    open_storage(get_settings())
    app = FastAPI(
        title="Cosmoboard",
        summary="A leaderboard of generative models of the cosmic web.",
        version=version("cosmoboard"),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.add_middleware(Lingering)
    app.add_middleware(FixedHeaders)
    answer_with_problems(app, error_page)
    api = APIRouter(
        prefix="/api/v1",
        responses=problem_responses("invalid_request", "internal_error", "unavailable"),
    )
    for module in (submissions, statistics, uploads, leaderboard, snapshots, tracks, participants):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(health.router)
    app.include_router(sign_in.router)
    app.include_router(host_pages.router)
    pages.add_pages(app)
    openapi.describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    stopping = threading.Event()
    sweeper = threading.Thread(target=_sweep_until, args=(stopping,), name="sweeper")
    sweeper.start()
    try:
        yield
    finally:
        stopping.set()
        await run_in_threadpool(sweeper.join)


def _sweep_until(stopping: threading.Event) -> None:
    settings = get_settings()
    storage = open_storage(settings)
    uploads_folder = UploadFolder(settings.data / "uploads")
    orphans_due = 0.0
    while not stopping.wait(settings.sweep_seconds):
        try:
            sweep(settings)
            tend_uploads(uploads_folder, storage, settings)
            if time.monotonic() >= orphans_due:
                orphans_due = time.monotonic() + settings.orphan_sweep_seconds
                remove_orphans(settings, storage)
        except Exception:  # whatever it is, submissions wait for the next sweep
            _log.exception("the sweep failed; the next one is in %g s", settings.sweep_seconds)
