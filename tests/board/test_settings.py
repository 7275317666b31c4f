"""The environment, and what is refused in it."""

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
