"""Drafts: what is not published yet, discarding it, and earlier drafts that are brought back."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys import plans, publishing
from journeys.models import Journey, SavedDraft
from journeys.publishing import history

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


# discarding


def test_discarding_makes_the_draft_what_is_live_and_keeps_the_name(admin_user: Any) -> None:
    made = journey()
    publishing.publish(made, at=T0)
    changed = save(made, {**waiting("3d"), "name": "Other"}, by=admin_user)
    done = publishing.discard(changed, by=admin_user, at=T0, revision=changed.draft_revision)
    assert (done.draft["nodes"], done.name) == (JOURNEY["nodes"], "Other")
    assert not publishing.unpublished(done)
    said = LogEntry.objects.latest("pk").change_message.splitlines()
    assert said == [
        "Discarded the changes since version 1.",
        "“Wait 3 days” becomes “Wait 7 days”.",
    ]


def test_what_was_discarded_can_be_brought_back(admin_user: Any) -> None:
    made = journey()
    publishing.publish(made, at=T0)
    changed = save(made, waiting("3d"), by=admin_user)
    publishing.discard(changed, by=admin_user, at=T0, revision=changed.draft_revision)
    kept = SavedDraft.objects.get(draft__nodes__rest__for="3d")
    assert publishing.restore_draft(kept, by=admin_user, at=T0).draft == waiting("3d")
    assert LogEntry.objects.latest("pk").change_message.startswith("Took the draft of 2 Mar")


def test_nothing_is_discarded_that_somebody_saved_meanwhile() -> None:
    made = journey()
    publishing.publish(made, at=T0)
    looked_at = save(made, waiting("3d"))
    save(made, waiting("4d"))
    with pytest.raises(publishing.Stale):
        publishing.discard(made, at=T0, revision=looked_at.draft_revision)
    made.refresh_from_db()
    assert made.draft == waiting("4d")


# earlier drafts


def kept() -> list[str]:
    """The waits of the drafts that are kept, the newest first."""
    return [one.draft["nodes"]["rest"]["for"] for one in SavedDraft.objects.order_by("-pk")]


def test_a_sitting_is_one_draft_and_one_entry_that_tells_all_of_it(admin_user: Any) -> None:
    made = journey()
    save(made, waiting("3d"), T0, admin_user)
    save(made, {**waiting("4d"), "name": "Other"}, T0 + MINUTE, admin_user)
    assert kept() == ["4d", "7d"]
    assert LogEntry.objects.get().change_message.splitlines() == [
        "Changed the draft.",
        "It is called “Other” now.",
        "“Wait 7 days” becomes “Wait 4 days”.",
    ]


def test_a_pause_another_person_or_a_publication_ends_a_sitting(
    admin_user: Any, django_user_model: Any
) -> None:
    other = django_user_model.objects.create(username="other")
    made = journey()
    save(made, waiting("1d"), T0, admin_user)
    save(made, waiting("2d"), T0 + 11 * MINUTE, admin_user)
    save(made, waiting("3d"), T0 + 12 * MINUTE, other)
    publishing.publish(made, by=other, at=T0 + 12 * MINUTE)
    save(made, waiting("4d"), T0 + 13 * MINUTE, other)
    assert kept() == ["4d", "3d", "2d", "1d", "7d"]


def test_old_drafts_are_dropped(monkeypatch: Any) -> None:
    monkeypatch.setattr(history, "KEPT_DRAFTS", 3)
    made = journey()
    for days in range(1, 9):
        save(made, waiting(f"{days}d"))
    assert kept() == ["8d", "7d", "6d", "5d"]


def test_saving_takes_as_many_statements_for_100_nodes_as_for_10(admin_user: Any) -> None:
    def statements(count: int) -> int:
        nodes: dict[str, Any] = {
            f"n{number}": {"kind": "wait", "for": "1h", "next": f"n{number + 1}"}
            for number in range(count)
        }
        nodes[f"n{count}"] = {"kind": "exit"}
        data = {**JOURNEY, "journey": f"j{count}", "start": "n0", "nodes": nodes}
        made = publishing.create(data, at=T0)
        changed = {**data, "nodes": {**nodes, "n0": {**nodes["n0"], "for": "2h"}}}
        save(made, changed, by=admin_user)
        with CaptureQueriesContext(connection) as queries:
            save(made, data, T0 + MINUTE, admin_user)
        return len(queries)

    assert statements(10) == statements(100) <= 12
