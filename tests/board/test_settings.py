"""The environment, and what is refused in it."""

from pathlib import Path

import pytest

from board.settings import SettingsError, get_settings


@pytest.fixture(autouse=True)
def _fresh() -> None:
    get_settings.cache_clear()


def test_names_each_fault_and_never_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db/board")
    monkeypatch.delenv("BROKER_URL", raising=False)

    with pytest.raises(SettingsError) as refusal:
        get_settings()
    assert "DATABASE_URL" in str(refusal.value)
    assert "BROKER_URL" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value"), [("DAILY_LIMIT", "0"), ("LEASE_SECONDS", "-1"), ("MAX_ATTEMPTS", "many")]
)
def test_refuses_what_would_not_work(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db/board")
    monkeypatch.setenv("BROKER_URL", "redis://broker/0")
    monkeypatch.setenv(f"COSMOBOARD_{name}", value)

    with pytest.raises(SettingsError, match=name.lower()):
        get_settings()


def test_secrets_may_be_in_files_and_the_environment_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "database_url").write_text("postgresql://u:s3cr3t@db/board")
    (tmp_path / "broker_url").write_text("redis://:s3cr3t@broker/0")
    monkeypatch.setenv("COSMOBOARD_SECRETS", str(tmp_path))
    monkeypatch.setenv("BROKER_URL", "redis://elsewhere/0")
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert get_settings().database_url == "postgresql://u:s3cr3t@db/board"
    assert get_settings().broker_url == "redis://elsewhere/0"


@pytest.mark.parametrize("url", ["s3://", "/var/archives", "https://bucket.example"])
def test_archives_are_kept_in_a_bucket_or_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db/board")
    monkeypatch.setenv("BROKER_URL", "redis://broker/0")
    monkeypatch.setenv("STORAGE_URL", url)

    with pytest.raises(SettingsError, match="STORAGE_URL"):
        get_settings()


@pytest.mark.parametrize("password", ["postgres", "Password", "changeme", "cosmoboard"])
def test_no_password_that_everybody_knows_works_outside_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{password}@db/board")
    monkeypatch.setenv("BROKER_URL", f"redis://:{password}@10.0.0.1/0")

    with pytest.raises(SettingsError) as refusal:
        get_settings()
    assert str(refusal.value).count("the password is one that everybody knows") == 2
    assert password not in str(refusal.value)

    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{password}@127.0.0.1/board")
    monkeypatch.setenv("BROKER_URL", f"redis://:{password}@localhost/0")
    get_settings.cache_clear()
    assert get_settings().broker_url.endswith("@localhost/0")
