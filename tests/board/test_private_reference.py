"""A held-out set that decides at the end: stored, and in nobody's scores until then."""

import pytest
from sqlalchemy.orm import Session

from board.errors import NotFoundError
from board.references import NewReference, add_reference, current_reference, make_current
from tests.board.conftest import FLOOR, make_reference, report


def private_reference() -> NewReference:
    return NewReference(
        track="3d-64",
        content_hash="f" * 64,
        label="decides at the end",
        provenance={},
        held_out=b"",
        training=b"",
        floor=FLOOR,
        real_cubes=report(0.9, 0.11),
    )


def test_it_is_used_from_when_the_host_says_so(session: Session) -> None:
    public = make_reference(session)
    private = add_reference(session, private_reference(), private=True)
    assert current_reference(session, "3d-64").id == public.id

    assert make_current(session, "3d-64", "f" * 12).id == private.id
    assert current_reference(session, "3d-64").id == private.id
    make_current(session, "3d-64", public.content_hash)
    assert current_reference(session, "3d-64").id == public.id


@pytest.mark.parametrize("wrong", ["f" * 11, "", "0" * 64])
def test_only_a_reference_that_is_there_can_be_used(session: Session, wrong: str) -> None:
    make_reference(session)
    add_reference(session, private_reference(), private=True)
    with pytest.raises(NotFoundError, match="reference list"):
        make_current(session, "3d-64", wrong)
