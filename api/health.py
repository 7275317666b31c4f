"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from redis import Redis, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api import schemas
from api.deps import SettingsDep, StorageDep
from board.database import transaction

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model_exclude_none=True)
def healthz() -> schemas.Health:
    """Tell that the process answers."""
    return schemas.Health(status="ok")


@router.get(
    "/readyz",
    responses={503: {"model": schemas.Health, "description": "Not able to take submissions"}},
)
def readyz(response: Response, settings: SettingsDep, storage: StorageDep) -> schemas.Health:
    """Tell whether submissions can be taken: the database answers, archives can be written."""
    health = schemas.Health(
        status="ok",
        database=_database_answers(),
        storage=storage.is_writable(),
        broker=_broker_answers(settings.broker_url),
    )
    if not (health.database and health.storage):
        health.status = "unavailable"
        response.status_code = 503
    return health


def _database_answers() -> bool:
    try:
        with transaction() as session:
            session.execute(text("SELECT 1 FROM submissions LIMIT 1"))
    except SQLAlchemyError:
        return False
    return True


def _broker_answers(broker_url: str) -> bool:
    try:
        with Redis.from_url(broker_url, socket_timeout=2, socket_connect_timeout=2) as broker:
            return bool(broker.ping())
    except RedisError:
        return False
