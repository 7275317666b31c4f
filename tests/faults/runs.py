"""One run: submissions on their way, faults that meet them, and what was lost (nothing)."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from board.database import transaction
from tests.faults import points
from tests.faults.disturbances import DISTURBANCES, Disturbance
from tests.faults.invariants import losses, outcomes, wait_until_ended
from tests.faults.submitting import submit_form, submit_in_pieces, unique_archive
from tests.faults.world import LEASE, World

ROUTES = {"form": submit_form, "pieces": submit_in_pieces}


@dataclass(frozen=True)
class Plan:
    """What happens in a run.

    Attributes:
        seed: Decides all that is left to chance.
        routes: How each submission is sent, all at the same time.
        strikes: Points of the code, and how the process that gets there is struck.
        disturbances: What comes from outside, and after how many seconds.
    """

    seed: str
    routes: tuple[str, ...] = ("form", "pieces")
    strikes: tuple[tuple[str, str], ...] = ()
    disturbances: tuple[tuple[Disturbance, float], ...] = ()

    @property
    def faults(self) -> list[str]:
        """Name each fault."""
        return [f"{how} at '{point}'" for point, how in self.strikes] + [
            f"{disturbance.__name__} after {delay:.2f} s"
            for disturbance, delay in self.disturbances
        ]


@dataclass(frozen=True)
class Outcome:
    """What a run has shown.

    Attributes:
        seed: The plan's.
        faults: Every fault that was planned.
        missed: Points that nobody has reached.
        ended: How many submissions ended in which state.
        seconds: From the first byte to the last end.
        losses: A sentence for each; empty, if all is well.
    """

    seed: str
    faults: list[str]
    missed: list[str]
    ended: dict[str, int]
    seconds: float
    losses: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def random_plan(seed: str) -> Plan:
    """Return one or two faults, chosen among all, for two submissions or three."""
    random = Random(seed)
    routes = tuple(random.choice(list(ROUTES)) for _ in range(random.choice((2, 2, 3))))
    strikes, disturbances = [], []
    for _ in range(random.choice((1, 1, 2))):
        kind = random.choice(("worker", "worker", "api", "outside", "outside"))
        if kind == "outside":
            disturbances.append((random.choice(DISTURBANCES), random.uniform(0, 1.5)))
            continue
        here = points.FORM_POINTS if random.choice(routes) == "form" else points.UPLOAD_POINTS
        point = random.choice(points.WORKER_POINTS if kind == "worker" else here)
        how = random.choice((points.DIE, points.DIE_TOGETHER, points.FREEZE))
        strikes.append((point, how))
    return Plan(seed, routes, tuple(strikes), tuple(disturbances))


def carry_out(plan: Plan, world: World) -> Outcome:
    """Submit, strike, wait until all has ended, and look for losses."""
    try:
        return _outcome(plan, world)
    finally:  # what is left would be in the way of the next run, whose archives may be the same
        points.disarm(world.points)
        _empty(world)


def _outcome(plan: Plan, world: World) -> Outcome:
    random = Random(plan.seed)
    archives = [unique_archive(random) for _ in plan.routes]
    for point, how in plan.strikes:
        points.arm(world.points, point, how)
    began = time.monotonic()
    found: list[str] = []
    accepted: dict[UUID, bytes] = {}
    with ThreadPoolExecutor(len(plan.routes) + len(plan.disturbances) + 1) as pool:
        thawing = pool.submit(_thaw, world, plan)
        sent = [
            pool.submit(ROUTES[route], world, archive)
            for route, archive in zip(plan.routes, archives, strict=True)
        ]
        outside = [
            pool.submit(_disturb, disturbance, delay, world, random)
            for disturbance, delay in plan.disturbances
        ]
        for submitting, archive in zip(sent, archives, strict=True):
            try:
                accepted[submitting.result()] = archive
            except AssertionError as error:
                found.append(str(error))
        for disturbing in [*outside, thawing]:
            disturbing.result()
    wait_until_ended()
    seconds = time.monotonic() - began
    missed = points.disarm(world.points)
    found += losses(world, accepted)
    return Outcome(
        plan.seed, plan.faults, missed, outcomes(list(accepted)), round(seconds, 2), found
    )


def _disturb(disturbance: Disturbance, delay: float, world: World, random: Random) -> None:
    time.sleep(delay)
    disturbance(world, random)


def _thaw(world: World, plan: Plan) -> None:
    """Let what has frozen at a point go on, long after its lease was taken."""
    frozen: Sequence[str] = [point for point, how in plan.strikes if how == points.FREEZE]
    if not frozen:
        return
    deadline = time.monotonic() + 10
    while any((world.points / point).exists() for point in frozen):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    time.sleep(2.5 * LEASE)
    for name in ("api", "worker-1", "worker-2"):
        with world.frozen(name):
            pass


def _empty(world: World) -> None:
    while True:
        try:
            with transaction() as session:
                session.execute(text("TRUNCATE submissions CASCADE"))
            break
        except OperationalError:  # the sweeper was at it
            continue
    for path in (world.data / "archives").glob("*.npz"):
        path.unlink()
