"""Redis is emptied, workers are killed: nobody is lost, and nobody is mailed twice."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.processes import people
from tests.processes.conftest import House
from tests.servers import RedisServer, wait_for

pytestmark = pytest.mark.processes
Start = Callable[..., House]

PEOPLE = range(60)
ANSWERED = range(20)
BOUGHT = range(20, 40)


def start(house: House, tmp_path: Path) -> None:
    """Publish the quick journey and let everybody start it."""
    people.load(house, tmp_path)
    segment = people.client(house, people.new_key(house))
    people.identify(segment, PEOPLE)
    people.track(segment, PEOPLE, "started")
    segment.join()


def act(house: House) -> None:
    """Some answer and some buy, while the journey waits for it."""
    segment = people.client(house, people.new_key(house))
    people.track(segment, ANSWERED, "answered")
    people.track(segment, BOUGHT, "bought")
    segment.join()


def everybody_ended(house: House) -> bool:
    return people.ended(house, "quick") == len(PEOPLE)


def settled(house: House) -> bool:
    """Nothing is queued or on its way any more."""
    moving = "Message.objects.filter(status__in=['queued', 'sending']).count()"
    return everybody_ended(house) and house.query(moving) == "0"


def test_an_emptied_redis_loses_nobody(
    start_house: Start, tmp_path: Path, redis_process: RedisServer
) -> None:
    """Half way through, all that Redis holds is gone; who waits is resumed all the same (P6)."""
    redis_process.client.flushall()
    house = start_house(REDIS_URL=redis_process.url)
    start(house, tmp_path)
    redis_process.client.flushall()
    entered = "Enrollment.objects.count()"
    house.wait_for(lambda: house.query(entered) == "60", 60, "everybody's entry")
    redis_process.client.flushall()
    house.wait_for(lambda: settled(house), 90, "the end of all journeys")
    mails = people.sent(people.read(house.outbox))
    assert mails == Counter(
        [(people.address(n), "hello") for n in PEOPLE]
        + [(people.address(n), "call" if people.plan(n) == "team" else "nudge") for n in PEOPLE]
    )


def test_killed_workers_lose_nobody_and_send_nothing_twice(
    start_house: Start, tmp_path: Path
) -> None:
    """``kill -9`` of both workers, again and again, while people walk through (P3, P4)."""
    house = start_house()
    start(house, tmp_path)
    killed: set[int] = set()
    for _ in range(4):
        for queue in ("facts", "messages"):
            worker = wait_for(lambda queue=queue: fresh(house, queue, killed), 60, queue)
            killed.add(worker.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in [*worker.children(recursive=True), worker]:
                    process.kill()
    act(house)
    house.wait_for(lambda: settled(house), 180, "the end of all journeys")
    mails = people.sent(people.read(house.outbox))
    uncertain = int(house.query("Message.objects.filter(status='uncertain').count()"))
    assert max(mails.values()) == 1
    promised = int(
        house.query("Message.objects.exclude(status__in=['skipped', 'cancelled']).count()")
    )
    written = sum(mails.values())
    # A mail that was on its way when its worker died may have been written or not: uncertain.
    assert promised - uncertain <= written <= promised
    assert house.query("Enrollment.objects.filter(status='failed').count()") == "0"
    assert int(house.query("Message.objects.filter(template__slug='hello').count()")) == len(PEOPLE)


def fresh(house: House, queue: str, killed: set[int]) -> psutil.Process | None:
    """The worker of a queue that was not killed yet, once it is there."""
    for process in house.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if {"worker", queue} <= set(process.cmdline()) and process.pid not in killed:
                return process
    return None
