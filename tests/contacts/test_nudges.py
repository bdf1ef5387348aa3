"""Jobs as nudges: enough of them for the workers there are, and never a heap."""

from __future__ import annotations

from datetime import UTC, datetime

import django_rq
import pytest
from rq import Worker

from contacts import nudges

QUEUE = "facts"


def job() -> None:
    """What the nudges of these tests ask for."""


@pytest.fixture
def queue(redis_server) -> object:
    return django_rq.get_queue(QUEUE)


def test_of_many_nudges_two_are_kept_where_nobody_listens(queue):
    for _ in range(20):
        nudges.nudge(QUEUE, job, "look")
    assert queue.job_ids == ["look", "look-again"]


def test_each_worker_gets_a_nudge_of_its_own_and_one_waits(queue):
    workers = [Worker([queue], connection=queue.connection, name=f"w{n}") for n in range(4)]
    for worker in workers:
        worker.register_birth()
    for _ in range(20):
        nudges.nudge(QUEUE, job, "look")
    assert len(queue.job_ids) == 5
    assert len(set(queue.job_ids)) == 5


def test_without_redis_a_nudge_is_lost_quietly(settings):
    nudges.nudge(QUEUE, job, "look")
    nudges.at_minutes(QUEUE, job, "look", [])


def test_who_works_by_himself_nudges_nobody(queue):
    with nudges.held():
        nudges.nudge(QUEUE, job, "look")
        nudges.at_minutes(QUEUE, job, "look", [datetime.now(UTC)])
    assert queue.job_ids == []
    assert queue.scheduled_job_registry.get_job_ids() == []
    nudges.nudge(QUEUE, job, "look")
    assert queue.job_ids == ["look"]
