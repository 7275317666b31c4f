"""Faults that come from outside, at any moment; each returns once it is over."""

import signal
import time
from collections.abc import Callable
from random import Random

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from board.database import transaction
from board.models import Submission
from board.queue import announce
from tests.faults.world import LEASE, WORKERS, World

Disturbance = Callable[[World, Random], None]

_PAST_THE_LEASE = (1.2 * LEASE, 2.5 * LEASE)


def kill_database(world: World, random: Random) -> None:
    world.kill("postgres")


def kill_broker(world: World, random: Random) -> None:
    world.kill("valkey")


def kill_api(world: World, random: Random) -> None:
    world.kill("api")


def kill_worker(world: World, random: Random) -> None:
    world.kill(random.choice(WORKERS))


def kill_both_workers(world: World, random: Random) -> None:
    for name in WORKERS:
        world.kill(name)


def kill_scoring_process(world: World, random: Random) -> None:
    """The worker itself lives on."""
    for process in world.processes(random.choice(WORKERS))[1:]:
        process.send_signal(signal.SIGKILL)


def kill_everything(world: World, random: Random) -> None:
    for name in random.sample(["postgres", "valkey", "api", *WORKERS], 5):
        world.kill(name)


def stop_worker(world: World, random: Random) -> None:
    """As a supervisor does: it ends the submission that it scores."""
    for process in world.processes(random.choice(WORKERS))[:1]:  # none while it starts again
        process.send_signal(signal.SIGTERM)


def empty_broker(world: World, random: Random) -> None:
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        with world.broker() as broker:
            try:
                broker.flushall()
            except redis.RedisError:
                return
        time.sleep(0.02)


def freeze_database(world: World, random: Random) -> None:
    with world.frozen("postgres"):
        time.sleep(random.uniform(*_PAST_THE_LEASE))


def freeze_broker(world: World, random: Random) -> None:
    with world.frozen("valkey"):
        time.sleep(random.uniform(*_PAST_THE_LEASE))


def freeze_worker(world: World, random: Random) -> None:
    """It goes on when its lease has long been taken: a zombie."""
    with world.frozen(random.choice(WORKERS)):
        time.sleep(random.uniform(*_PAST_THE_LEASE))


def freeze_api(world: World, random: Random) -> None:
    with world.frozen("api"):
        time.sleep(random.uniform(*_PAST_THE_LEASE))


def slow_database(world: World, random: Random) -> None:
    try:
        with world.locked_table():
            time.sleep(random.uniform(*_PAST_THE_LEASE))
    except SQLAlchemyError:
        pass  # another fault has taken the database away


def fill_disk_of_api(world: World, random: Random) -> None:
    with world.full_disk("api", left=random.randrange(0, 2_000_000)):
        time.sleep(random.uniform(0.5, 2.0))


def fill_disk_of_workers(world: World, random: Random) -> None:
    with world.full_disk(WORKERS[0], left=0), world.full_disk(WORKERS[1], left=0):
        time.sleep(random.uniform(0.5, 2.0))


def repeat_messages(world: World, random: Random) -> None:
    """Tell both workers of each submission again and again."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            with transaction() as session:
                ids = session.scalars(select(Submission.id)).all()
        except SQLAlchemyError:
            return
        for submission_id in [*ids] * 4:
            announce(submission_id)
        time.sleep(0.1)


DISTURBANCES: tuple[Disturbance, ...] = (
    kill_database,
    kill_broker,
    kill_api,
    kill_worker,
    kill_both_workers,
    kill_scoring_process,
    kill_everything,
    stop_worker,
    empty_broker,
    freeze_database,
    freeze_broker,
    freeze_worker,
    freeze_api,
    slow_database,
    fill_disk_of_api,
    fill_disk_of_workers,
    repeat_messages,
)
