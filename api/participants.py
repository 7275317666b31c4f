"""Who a token belongs to."""

from fastapi import APIRouter

from api import schemas
from api.deps import CurrentParticipant
from api.problems import problem_responses

router = APIRouter(tags=["participants"])


@router.get("/whoami", responses=problem_responses("unauthenticated", "invalid_token"))
def whoami(participant: CurrentParticipant) -> schemas.Participant:
    """Tell whose token came with the request."""
    return schemas.Participant.model_validate(participant)
