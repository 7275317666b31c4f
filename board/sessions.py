"""Who is signed in on the pages: a token of the browser's own, beside the one signed in with."""

import secrets
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, aliased

from board.errors import InvalidTokenError
from board.models import Participant, Token
from board.participants import authenticate, token_hash

LIFETIME = timedelta(days=7)
"""A browser is signed out after this long."""


def start_session(session: Session, token: str) -> str:
    """Sign a browser in by a participant's token, and return the secret that it keeps.

    Raises:
        InvalidTokenError: If the token is unknown, revoked or expired.
    """
    participant = authenticate(session, token)
    secret = secrets.token_urlsafe(32)
    parent = select(Token.id).where(Token.sha256 == token_hash(token)).scalar_subquery()
    session.add(
        Token(
            participant_id=participant.id,
            sha256=token_hash(secret),
            expires_at=func.now() + LIFETIME,
            session_of=parent,
        )
    )
    session.flush()
    return secret


def signed_in(session: Session, secret: str) -> Participant:
    """Return the participant whose browser keeps this secret.

    Raises:
        InvalidTokenError: If it was signed out, too long ago, or by a token that is no longer good.
    """
    parent = aliased(Token)
    found = session.scalars(
        select(Token)
        .join(parent, Token.session_of == parent.id)
        .where(
            Token.sha256 == token_hash(secret),
            Token.revoked_at.is_(None),
            Token.expires_at > func.now(),
            parent.revoked_at.is_(None),
            or_(parent.expires_at.is_(None), parent.expires_at > func.now()),
        )
    ).one_or_none()
    if found is None:
        raise InvalidTokenError("You are signed out: sign in again.")
    return found.participant


def end_session(session: Session, secret: str) -> None:
    """Sign a browser out."""
    session.execute(
        update(Token)
        .where(Token.sha256 == token_hash(secret), Token.session_of.is_not(None))
        .values(revoked_at=func.now())
    )
