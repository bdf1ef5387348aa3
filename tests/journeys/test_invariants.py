"""Random journeys in random batches with crashes: the promises hold at each step."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journeys import store, work
from journeys.models import Edge, Enrollment, Visit
from journeys.simulation.inputs import read_contacts
from messaging.models import Message
from tests.journeys.live import House
from tests.journeys.test_live_agrees import SEEDS, lines_of
from tests.reference import generate
from tests.reference.interpreter import simulate


class Crash(BaseException):
    """The process dies; what was not committed is gone."""


def check_paths() -> None:
    """Each enrollment's visits are a path of its version, numbered from 1 without gaps."""
    edges = {
        (source, outcome): target
        for source, outcome, target in Edge.objects.values_list("source_id", "outcome", "target_id")
    }
    for enrollment in Enrollment.objects.prefetch_related("visits"):
        visits = sorted(enrollment.visits.all(), key=lambda visit: visit.number)
        assert [visit.number for visit in visits] == list(range(1, len(visits) + 1))
        assert enrollment.visits_count == len(visits)
        for before, after in itertools.pairwise(visits):
            assert edges[before.node_id, before.outcome] == after.node_id
            assert before.left_at == after.entered_at
        if enrollment.status == Enrollment.Status.WAITING:
            assert visits[-1].left_at is None
            assert visits[-1].node_id == enrollment.node_id


def check_counts() -> None:
    """Whoever entered is open or has ended; at most one message a visit; none is left active."""
    by_status = dict(Enrollment.objects.values_list("status").annotate(Count("pk")))
    assert sum(by_status.values()) == Enrollment.objects.count()
    assert Enrollment.Status.ACTIVE not in by_status
    ended = Enrollment.objects.filter(ended_at__isnull=False).count()
    assert ended == sum(by_status.get(status, 0) for status in ("completed", "exited", "failed"))
    visits = Message.objects.values_list("enrollment", "visit")
    assert len(visits) == len(set(visits))
    # A send that waits for its window has a visit and no message yet (S4).
    sends = Visit.objects.filter(node__kind="send")
    assert Message.objects.count() == sends.exclude(left_at=None, enrollment__ended_at=None).count()


def crashing(chance: random.Random, write: Callable[..., Any]) -> Callable[..., Any]:
    """``store.write`` in a process that may die after it wrote, and before it committed."""

    def written(world: Any) -> Any:
        result = write(world)
        if chance.randrange(4) == 0:
            raise Crash
        return result

    return written


class Restarted(House):
    """A house whose worker dies and is started again."""

    chance: random.Random

    def work(self, now: Any) -> None:
        while True:
            work.BATCH = self.chance.choice([1, 2, 3, 500])
            try:
                super().work(now)
            except Crash:
                continue  # what earlier batches committed stays
            return


@pytest.mark.django_db
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.sampled_from(SEEDS), luck=st.integers(0, 2**32))
def test_batches_and_crashes_change_nothing(
    monkeypatch: pytest.MonkeyPatch, seed: int, luck: int
) -> None:
    # A long story takes more chances than Hypothesis holds, so it chooses where they begin.
    case, chance = generate.case(seed), random.Random(luck)
    with tempfile.TemporaryDirectory() as folder, monkeypatch.context() as patch:
        files = generate.write(case, Path(folder))
        lines = lines_of(case, files)
        assert lines
        expected = simulate(files.journey, files.contacts, files.events, case.until, case.start)
        patch.setattr(work, "BATCH", 500)

        def check() -> None:
            check_paths()
            check_counts()

        with transaction.atomic():
            house = Restarted(case.journey, read_contacts(files.contacts))
            house.chance = chance
            house.open(lines[0].at)
            patch.setattr(store, "write", crashing(chance, store.write))
            hourly = "segment" in case.journey["entry"]["trigger"]
            house.play(lines, lines[0].at, case.until, hourly=hourly, after_each=check)
            results = house.results()
            transaction.set_rollback(True)
    assert results == expected
