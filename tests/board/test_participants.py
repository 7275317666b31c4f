"""Participants and the tokens that speak for them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from board.errors import ForbiddenError, InvalidSubmissionError, InvalidTokenError
from board.models import Token
from board.participants import authenticate, create_participant, issue_token
from board.sessions import start_session


def test_a_token_speaks_for_its_participant_and_is_not_stored(session: Session) -> None:
    ada = create_participant(session, "ada")
    token = issue_token(session, ada)

    assert authenticate(session, token).id == ada.id
    stored = session.scalars(select(Token)).one()
    assert token not in (stored.sha256, str(stored.__dict__))
    assert len(token) > 40


def test_a_name_is_one_participant_however_often_it_is_created(session: Session) -> None:
    assert create_participant(session, "ada").id == create_participant(session, " ada ").id


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "a\nb", "a\x00b", "\u202eadmin"])
def test_a_name_is_one_printable_line(session: Session, name: str) -> None:
    with pytest.raises(InvalidSubmissionError, match="name must"):
        create_participant(session, name)


@pytest.mark.parametrize("token", ["", "cosmoboard_guess", "\x00", "é" * 1000])
def test_an_unknown_token_is_refused(session: Session, token: str) -> None:
    with pytest.raises(InvalidTokenError, match="unknown, revoked or expired"):
        authenticate(session, token)


def test_an_expired_or_revoked_token_is_refused(session: Session) -> None:
    ada = create_participant(session, "ada")
    expired = issue_token(session, ada, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    revoked = issue_token(session, ada, expires_at=datetime.now(UTC) + timedelta(days=1))
    assert authenticate(session, revoked).id == ada.id
    session.execute(update(Token).values(revoked_at=func.now()))

    for token in (expired, revoked):
        with pytest.raises(InvalidTokenError):
            authenticate(session, token)


def test_a_token_that_only_reads_changes_nothing_and_signs_nobody_in(session: Session) -> None:
    ada = create_participant(session, "ada")
    token = issue_token(session, ada, read_only=True)
    assert authenticate(session, token, to_read=True).id == ada.id
    for change in (authenticate, start_session):
        with pytest.raises(ForbiddenError, match="only reads"):
            change(session, token)
