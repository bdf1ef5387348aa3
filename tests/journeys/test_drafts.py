"""Drafts: what is not published yet, discarding it, and earlier drafts that are brought back."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys import plans, publishing
from journeys.models import Journey

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

JOURNEY: dict[str, Any] = {
    "journey": "j",
    "name": "J",
    "entry": {"trigger": {"event": "go"}},
    "start": "rest",
    "nodes": {
        "rest": {"kind": "wait", "for": "7d", "next": "done"},
        "done": {"kind": "exit", "reason": "thanked"},
    },
}


@pytest.fixture(autouse=True)
def house() -> None:
    plans.forget()


def journey() -> Journey:
    return publishing.create(copy.deepcopy(JOURNEY), at=T0)


def waiting(span: str) -> dict[str, Any]:
    """The draft with another wait."""
    data = copy.deepcopy(JOURNEY)
    data["nodes"]["rest"]["for"] = span
    return data


def save(made: Journey, data: dict[str, Any], at: datetime = T0, by: Any = None) -> Journey:
    made.refresh_from_db()
    return publishing.save_draft(made, data, by=by, at=at, revision=made.draft_revision)


# what is not published yet


def test_a_journey_has_unpublished_changes_until_they_are_published_or_taken_back() -> None:
    made = journey()
    assert not publishing.unpublished(made), "all of a journey that was never live is a draft"
    publishing.publish(made, at=T0)
    assert not publishing.unpublished(made)
    changed = save(made, waiting("3d"))
    assert publishing.unpublished(changed)
    publishing.publish(changed, at=T0)
    assert not publishing.unpublished(changed)
    assert not publishing.unpublished(save(save(made, waiting("4d")), waiting("3d")))


def test_name_and_description_hold_at_once_and_wait_for_no_publication() -> None:
    made = journey()
    publishing.publish(made, at=T0)
    renamed = save(made, {**JOURNEY, "name": "Other", "description": "New"})
    assert renamed.name == "Other"
    assert not publishing.unpublished(renamed)


def test_asking_a_list_for_unpublished_changes_takes_no_statement() -> None:
    publishing.publish(journey(), at=T0)
    rows = list(Journey.objects.select_related("live_version"))
    with CaptureQueriesContext(connection) as queries:
        assert not any(publishing.unpublished(row) for row in rows)
    assert len(queries) == 0
