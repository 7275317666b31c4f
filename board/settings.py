"""The environment, read here and nowhere else."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_KNOWN_PASSWORDS = {
    "admin",
    "changeme",
    "cosmoboard",
    "example",
    "guest",
    "pass",
    "password",
    "postgres",
    "redis",
    "root",
    "secret",
    "test",
    "valkey",
}


def _require_own_password(url: str) -> str:
    """Refuse a password that everybody knows, unless the service is on this very machine.

    Raises:
        ValueError: The password is one of those that examples have.
    """
    parts = urlsplit(url)
    is_here = parts.hostname in (None, "", "localhost", "127.0.0.1", "::1")
    if not is_here and (parts.password or "").lower() in _KNOWN_PASSWORDS:
        raise ValueError("the password is one that everybody knows: choose one of your own")
    return url


class Settings(BaseSettings):
    """Every setting of the service; the name in the environment is `COSMOBOARD_` and the field's.

    `DATABASE_URL`, `BROKER_URL` and `STORAGE_URL` carry no prefix, as hosting platforms set them.
    What the environment does not hold may be in a file of the same name, in lower case, in the
    folder that `COSMOBOARD_SECRETS` names.
    """

    model_config = SettingsConfigDict(env_prefix="COSMOBOARD_", populate_by_name=True)

    database_url: Annotated[
        str,
        Field(validation_alias="DATABASE_URL", pattern=r"^postgres(ql)?(\+psycopg)?://"),
        AfterValidator(_require_own_password),
    ]
    broker_url: Annotated[
        str,
        Field(validation_alias="BROKER_URL", pattern=r"^rediss?://"),
        AfterValidator(_require_own_password),
    ]
    data: Annotated[Path, AfterValidator(Path.absolute)] = Path("data")
    """Folder of archives and uploads under way."""

    storage_url: Annotated[
        str | None, Field(validation_alias="STORAGE_URL", pattern=r"^s3://[^/]+(/.*)?$")
    ] = None
    """`s3://bucket/prefix` where archives are kept instead, once they have arrived."""

    storage_allow_http: Annotated[bool, Field(validation_alias="AWS_ALLOW_HTTP")] = False
    """Whether `AWS_ENDPOINT_URL` may be one that encrypts nothing."""

    daily_limit: Annotated[int, Field(ge=1)] = 10
    """Submissions a day (UTC) per participant and track."""

    requests_per_minute: Annotated[int, Field(ge=1)] = 1200
    """Requests from one address, but not from this machine itself; as many may come at once."""

    participant_gigabytes: Annotated[float, Field(gt=0)] = 100.0
    """What the archives of one participant may take, those still to come included."""

    retention_days: Annotated[float | None, Field(gt=0)] = None
    """Archives are removed so long after their submission has ended; None to keep them."""

    stall_seconds: Annotated[float, Field(gt=0)] = 60.0
    """A request that brings less than 256 KiB of an archive in this time is given up."""

    lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    sweep_seconds: Annotated[float, Field(gt=0)] = 5.0
    resend_seconds: Annotated[float, Field(gt=0)] = 30.0
    """A queued submission that no worker has claimed for this long is announced again."""

    copy_check_seconds: Annotated[float, Field(ge=0)] = 30.0
    """A submission is searched for copies so long after it was scored: scoring comes first."""

    resend_copy_check_seconds: Annotated[float, Field(gt=0)] = 600.0
    """A search for copies that has not ended for this long is announced again."""

    max_attempts: Annotated[int, Field(ge=1)] = 3
    orphan_hours: Annotated[float, Field(gt=0)] = 24.0
    """Files that no submission owns are kept this long."""

    orphan_sweep_seconds: Annotated[float, Field(gt=0)] = 600.0
    """They are looked for this often: all archives are listed for that."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where a worker computes the histograms; the scores are the same."""

    deadline_seconds: Annotated[float, Field(gt=0)] = 120.0
    deadline_seconds_per_megavoxel: Annotated[float, Field(ge=0)] = 1.0
    """A submission may run `deadline_seconds` plus this for each million voxels of its track."""


class SettingsError(Exception):
    """The environment lacks a setting or holds an unsafe one."""


@cache
def get_settings() -> Settings:
    """Read the environment once.

    Raises:
        SettingsError: naming each setting that is missing or wrong, never its value.
    """
    try:
        return Settings(_secrets_dir=os.environ.get("COSMOBOARD_SECRETS"))  # type: ignore[call-arg]
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise SettingsError(f"The environment is not usable: {faults}.") from None
