"""No fault loses a submission: each ends scored, or failed with a reason, and is scored once."""

import json
import os
from collections.abc import Iterator
from random import Random

import httpx
import pytest

from tests.boards import bearer
from tests.faults import points
from tests.faults.disturbances import DISTURBANCES, Disturbance
from tests.faults.invariants import wait_until_ended
from tests.faults.points import DIE, DIE_TOGETHER, FREEZE
from tests.faults.runs import Outcome, Plan, carry_out, random_plan
from tests.faults.submitting import unique_archive
from tests.faults.world import TRACK, WORKERS, World, running_world

SEED = os.environ.get("FAULTS_SEED", "350")

STEPS_OF_WORKER = (
    "claimed",
    "field 0",
    "field 14",
    "field 29",
    "evaluated",
    "result not committed",
    "result committed",
)

UPLOAD_STEPS = (
    *(points.UPLOAD_POINTS[at : at + 2] for at in (0, 2, 4)),
    *((step,) for step in points.UPLOAD_POINTS[6:]),
)
"""Where the API is killed: until the upload is queued, at two steps, one after the other."""

GROUPS = [DISTURBANCES[at : at + 3] for at in range(0, len(DISTURBANCES), 3)]
"""Three faults from outside at a time."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("world")) as world:
        yield world


def all_scored(outcome: Outcome) -> bool:
    return not outcome.losses and set(outcome.ended) == {"scored"}


def test_the_logs_tell_which_request_brought_a_submission(world: World) -> None:
    # Before any fault: what the sweeper announces again belongs to no request.
    archive = unique_archive(Random(1))
    with httpx.Client(base_url=world.url, headers=bearer(world.token)) as client:
        fields = {"track": TRACK.name, "method": "logged"}
        answer = client.post(
            "/api/v1/submissions",
            headers={"X-Request-ID": "brought-it"},
            data=fields,
            files={"archive": ("cubes.npz", archive)},
        )
    assert wait_until_ended()
    about = {"request": "brought-it", "submission": answer.json()["id"]}
    lines = [
        json.loads(line)
        for name in WORKERS
        for line in world.log(name).splitlines()
        if "brought-it" in line
    ]
    said = [line["message"] for line in lines if about.items() <= line.items()]
    assert any("claimed, attempt 1" in message for message in said)
    assert any("scored: overall" in message for message in said)


@pytest.mark.parametrize(
    ("step", "then"), list(zip(points.FORM_POINTS, STEPS_OF_WORKER, strict=True))
)
def test_the_api_and_a_worker_may_be_killed_at_every_step_of_a_form(
    world: World, step: str, then: str
) -> None:
    strikes = ((step, DIE), (then, DIE_TOGETHER))
    outcome = carry_out(Plan(step, ("form",), strikes), world)
    assert all_scored(outcome), outcome
    assert outcome.missed == []


@pytest.mark.parametrize(("steps", "then"), list(zip(UPLOAD_STEPS, STEPS_OF_WORKER, strict=False)))
def test_the_api_and_a_scoring_process_may_be_killed_at_every_step_of_an_upload(
    world: World, steps: tuple[str, ...], then: str
) -> None:
    strikes = (*((step, DIE) for step in steps), (then, DIE))
    outcome = carry_out(Plan(" and ".join(steps), ("pieces",), strikes), world)
    assert all_scored(outcome), outcome
    assert outcome.missed == []


@pytest.mark.parametrize("step", ["evaluated", "result not committed"])
def test_a_zombie_that_finishes_after_its_lease_was_taken_changes_nothing(
    world: World, step: str
) -> None:
    outcome = carry_out(Plan(step, ("form",), strikes=((step, FREEZE),)), world)
    assert all_scored(outcome), outcome
    assert outcome.missed == []


@pytest.mark.parametrize("group", GROUPS, ids=lambda it: " and ".join(one.__name__ for one in it))
def test_it_outlives_what_comes_from_outside(world: World, group: tuple[Disturbance, ...]) -> None:
    outcome = carry_out(Plan("outside", disturbances=tuple((it, 0.2) for it in group)), world)
    assert all_scored(outcome), outcome


@pytest.mark.parametrize("index", range(3))
def test_it_outlives_faults_at_random(world: World, index: int) -> None:
    """The same each time; FAULTS_SEED chooses others, `make faults` does it by the hundred."""
    outcome = carry_out(random_plan(f"{SEED}/{index}"), world)
    assert outcome.losses == [], outcome
