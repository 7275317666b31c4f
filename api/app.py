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
    leaderboard,
    metrics,
    openapi,
    participants,
    snapshots,
    statistics,
    submissions,
    tracks,
    uploads,
)
from api.complete_upload import tend_uploads
from api.middleware import FixedHeaders, Lingering, RequestLog
from api.pages import host, sign_in, visitors
from api.pages.render import error_page
from api.problems import answer_with_problems, problem_responses
from api.rate_limit import RateLimit
from api.upload_files import UploadFolder
from board.logs import log_json
from board.settings import get_settings
from board.storage import open_storage
from board.sweeper import remove_orphans, sweep

_log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    """Return the application: the API under /api/v1 and the pages.

    Raises:
        SettingsError: The environment lacks a setting or holds an unsafe one.
    """
    settings = get_settings()
    open_storage(settings)
    log_json()
    app = routed_app()
    app.add_middleware(RateLimit, per_minute=settings.requests_per_minute)
    app.add_middleware(Lingering)
    app.add_middleware(FixedHeaders)
    app.add_middleware(RequestLog)
    answer_with_problems(app, error_page)
    return app


def routed_app() -> FastAPI:
    """Return the application's routes: all that it takes to describe them, not to serve."""
    app = FastAPI(
        title="Cosmoboard",
        summary="A leaderboard of generative models of the cosmic web.",
        version=version("cosmoboard"),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    api = APIRouter(
        prefix="/api/v1",
        responses=problem_responses(
            "invalid_request", "rate_limited", "internal_error", "unavailable"
        ),
    )
    for module in (submissions, statistics, uploads, leaderboard, snapshots, tracks, participants):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(sign_in.router)
    app.include_router(host.router)
    visitors.add_pages(app)
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
