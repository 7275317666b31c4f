"""Signing in on the pages."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from board.errors import InvalidTokenError
from board.models import Token
from board.participants import authenticate, issue_token
from board.sessions import end_session, signed_in, start_session
from tests.board.conftest import make_participant


@pytest.fixture
def token(session: Session) -> str:
    return issue_token(session, make_participant(session))


def test_a_token_signs_in_until_it_is_signed_out(session: Session, token: str) -> None:
    secret = start_session(session, token)
    assert signed_in(session, secret).name == "ada"
    end_session(session, secret)
    with pytest.raises(InvalidTokenError, match="signed out"):
        signed_in(session, secret)


def test_each_sign_in_has_a_secret_of_its_own(session: Session, token: str) -> None:
    first, second = start_session(session, token), start_session(session, token)
    end_session(session, first)
    assert signed_in(session, second).name == "ada"


def test_secrets_and_tokens_do_not_stand_for_each_other(session: Session, token: str) -> None:
    secret = start_session(session, token)
    for wrong in (token, "", "nonsense"):
        with pytest.raises(InvalidTokenError):
            signed_in(session, wrong)
    with pytest.raises(InvalidTokenError):
        authenticate(session, secret)
    with pytest.raises(InvalidTokenError):
        start_session(session, secret)
    end_session(session, token)
    assert authenticate(session, token).name == "ada"


def test_it_ends_with_the_token_that_it_began_with(session: Session, token: str) -> None:
    secret = start_session(session, token)
    session.execute(update(Token).where(Token.session_of.is_(None)).values(revoked_at=func.now()))
    with pytest.raises(InvalidTokenError):
        signed_in(session, secret)


def test_it_ends_by_itself(session: Session, token: str) -> None:
    secret = start_session(session, token)
    past = datetime.now(UTC) - timedelta(seconds=1)
    session.execute(update(Token).where(Token.session_of.is_not(None)).values(expires_at=past))
    with pytest.raises(InvalidTokenError):
        signed_in(session, secret)


def test_an_expired_token_does_not_sign_in(session: Session) -> None:
    expired = issue_token(session, make_participant(session), datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(InvalidTokenError):
        start_session(session, expired)
