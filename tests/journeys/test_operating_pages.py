"""The pages beside the map: publishing, pausing and resuming, the history and the ways back."""

from __future__ import annotations

import copy
import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import ingest, segments
from contacts.items import Identify, Track
from contacts.models import Contact
from journeys import plans, publishing, work
from journeys.admin.publication import Stand, moves
from journeys.models import Enrollment, Journey, Refusal, Relocation, SavedDraft, WebhookCall
from journeys.publishing import Move
from messaging.models import Message, Template

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

JOURNEY: dict[str, Any] = {
    "journey": "calm",
    "name": "Calm",
    "entry": {"trigger": {"event": "go"}},
    "start": "rest",
    "nodes": {
        "rest": {"kind": "wait", "for": "7d", "next": "later"},
        "later": {"kind": "wait", "for": "1d", "next": "done"},
        "done": {"kind": "exit"},
    },
}


@pytest.fixture(autouse=True)
def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    plans.forget()
    for room in ("builder", "publication", "pausing", "history", "enrollments"):
        monkeypatch.setattr(f"journeys.admin.{room}.now", lambda: NOW + DAY)


@pytest.fixture
def admin(admin_client: Client) -> Client:
    return admin_client


@pytest.fixture
def journey() -> Journey:
    made = publishing.create(copy.deepcopy(JOURNEY), at=NOW)
    publishing.publish(made, at=NOW)
    return made


def enroll(*ids: str, at: datetime = NOW) -> None:
    ingest.record([Track("go", external_id=one) for one in ids], received_at=at)
    work.work(at)


def change(journey: Journey, **nodes: Any) -> None:
    """Save a draft with other nodes; None takes one away."""
    journey.refresh_from_db()
    kept = {**copy.deepcopy(JOURNEY["nodes"]), **nodes}
    kept = {key: node for key, node in kept.items() if node is not None}
    start = "rest" if "rest" in kept else "later"
    data = {**JOURNEY, "nodes": kept, "start": start}
    publishing.save_draft(journey, data, at=NOW, revision=journey.draft_revision)
    journey.refresh_from_db()


def url(journey: Journey, name: str, *args: Any) -> str:
    return reverse(f"admin:journeys_journey_{name}", args=[journey.pk, *args])


def seen(client: Client, journey: Journey, name: str, *args: Any) -> str:
    response = client.get(url(journey, name, *args))
    assert response.status_code == 200
    return response.content.decode()


def post(client: Client, journey: Journey, name: str, *args: Any, **form: Any) -> None:
    assert client.post(url(journey, name, *args), form).status_code == 302
    journey.refresh_from_db()


def stand() -> set[tuple[str, int]]:
    rows = Enrollment.objects.filter(status="waiting")
    return set(rows.values_list("node__key", "version__number"))


# publishing


def test_everybody_is_moved_by_one_choice(admin: Client, journey: Journey) -> None:
    """Who stands at a step that is gone goes on at the next that is still there."""
    enroll("u", "v")
    change(journey, rest=None)
    page = seen(admin, journey, "publish")
    assert "The 2 at “Wait 7 days”, which is gone, go on at “Wait 1 day”." in page
    post(admin, journey, "publish", all="everybody", revision=journey.draft_revision)
    assert stand() == {("later", 2)}


def test_who_stands_versions_behind_goes_on_as_its_own_version_leads(
    admin: Client, journey: Journey
) -> None:
    enroll("u", "v")
    change(journey, rest=None)
    publishing.publish(journey, at=NOW)  # they finish where they are, on version 1
    change(journey, rest=None, later={"kind": "wait", "for": "3d", "next": "done"})
    page = seen(admin, journey, "publish")
    assert "The 2 at “Wait 7 days”, which is gone, go on at “Wait 3 days”." in page
    post(admin, journey, "publish", all="everybody", revision=journey.draft_revision)
    assert stand() == {("later", 3)}


def test_nobody_is_moved_to_a_step_that_is_not_there(admin: Client, journey: Journey) -> None:
    enroll("u")
    change(journey, rest=None)
    form = {"all": "each", "move-rest": "to:nope", "revision": journey.draft_revision}
    page = admin.post(url(journey, "publish"), form).content.decode()
    assert "There is no step “nope” to move people to." in page
    journey.refresh_from_db()
    assert (journey.versions.count(), stand()) == (1, {("rest", 1)})


def test_who_has_nowhere_to_go_leaves(admin: Client, journey: Journey) -> None:
    enroll("u")
    nodes = {"fresh": {"kind": "wait", "for": "1d"}}
    data = {**JOURNEY, "nodes": nodes, "start": "fresh"}
    publishing.save_draft(journey, data, at=NOW, revision=journey.draft_revision)
    assert "which is gone, leave the journey" in seen(admin, journey, "publish")
    post(admin, journey, "publish", all="everybody")
    assert Enrollment.objects.get().reason == "moved_out"


def test_they_finish_where_they_are_unless_somebody_chooses(
    admin: Client, journey: Journey
) -> None:
    enroll("u")
    change(journey, rest={"kind": "wait", "for": "1h", "next": "later"})
    post(admin, journey, "publish", all="finish", **{"move-rest": "same"})
    assert stand() == {("rest", 1)}


def test_how_many_waits_would_be_over_is_shown_before(admin: Client, journey: Journey) -> None:
    enroll("u", "v")
    enroll("w", at=NOW + 23 * HOUR)
    change(journey, rest={"kind": "wait", "for": "12h", "next": "later"})
    assert "for 2 people it is over by then" in seen(admin, journey, "publish")
    post(admin, journey, "publish", all="everybody")
    assert stand() == {("later", 2), ("rest", 2)}
    assert Enrollment.objects.filter(node__key="later").count() == 2


def test_the_mails_that_a_move_sends_at_once_are_counted_before(
    admin: Client, journey: Journey
) -> None:
    """From a step that is gone, and from a wait that is over by then; not past the next wait."""
    Template.objects.create(slug="hello", name="Hello", subject="Hello", text="Hello")
    mail = {"kind": "send", "template": "hello", "transactional": True}
    enroll("u", "v")
    shorter = {"kind": "wait", "for": "12h", "next": "one"}
    one, two = {**mail, "next": "mark"}, {**mail, "next": "later"}
    mark = {"kind": "update", "set": {"x": 1}, "next": "two"}
    change(journey, rest=shorter, one=one, mark=mark, two=two)
    page = seen(admin, journey, "publish")
    assert "Up to 4 mails are sent at once." in page
    change(journey, later={**mail, "next": "done"}, rest=None)
    page = seen(admin, journey, "publish")
    assert "which is gone, go on at “Send Hello”. Up to 2 mails are sent at once." in page
    change(journey, rest={"kind": "wait", "for": "12h", "next": "later"})
    assert "sent at once" not in seen(admin, journey, "publish")


def test_people_can_be_moved_to_what_is_live_already(admin: Client, journey: Journey) -> None:
    enroll("u")
    change(journey, rest={"kind": "wait", "for": "9d", "next": "later"})
    post(admin, journey, "publish", all="finish")
    page = seen(admin, journey, "publish")
    assert "1 person is on an older version" in page
    assert "Move them to version 2" in page
    post(admin, journey, "publish", all="everybody")
    assert (stand(), journey.versions.count()) == ({("rest", 2)}, 2)
    page = seen(admin, journey, "publish")
    assert "There is nothing to publish." in page
    assert "data-go" not in page


def moved(client: Client, journey: Journey, *ids: str) -> Relocation:
    """These people, moved from the step that is gone to the next."""
    enroll(*ids)
    change(journey, rest=None)
    post(client, journey, "publish", all="everybody")
    return journey.relocations.get()


def test_a_move_is_taken_back_after_a_question(admin: Client, journey: Journey) -> None:
    """Who has gone on since stays, and both numbers are said before and after."""
    move = moved(admin, journey, "u", "v")
    Enrollment.objects.filter(contact__external_id="v").update(visits_count=9)
    response = admin.post(url(journey, "back", move.pk))
    page = response.content.decode()
    assert "<strong>1</strong> of the 2 who were moved goes back" in page
    assert "1 has gone on since, and stays on version 2." in page
    assert stand() == {("later", 2)}, "nobody is put back before somebody says so"
    done = admin.post(url(journey, "back", move.pk), {"sure": "yes"}, follow=True)
    assert "1 of 2 put back; 1 had gone on." in done.content.decode()
    assert stand() == {("later", 2), ("rest", 1)}


def test_a_move_is_not_offered_back_where_all_have_gone_on(admin: Client, journey: Journey) -> None:
    move = moved(admin, journey, "u", "v")
    assert "Take it back" in seen(admin, journey, "versions")
    assert "Take the move back" in seen(admin, journey, "change")
    Enrollment.objects.update(visits_count=9)
    assert "Take it back" not in seen(admin, journey, "versions")
    assert "Take the move back" not in seen(admin, journey, "change")
    asked = admin.get(url(journey, "back", move.pk), follow=True)
    assert "There is nobody whom that would put back." in asked.content.decode()
    done = admin.post(url(journey, "back", move.pk), {"sure": "yes"}, follow=True)
    assert "0 of 2 put back; 2 had gone on." in done.content.decode()


def test_a_move_out_is_offered_back_while_they_are_out(admin: Client, journey: Journey) -> None:
    enroll("u")
    change(journey, rest=None)
    post(admin, journey, "publish", all="each", **{"move-rest": "exit"})
    assert "Take it back" in seen(admin, journey, "versions")
    Enrollment.objects.update(reason="archived")
    assert "Take it back" not in seen(admin, journey, "versions")


def test_choices_for_each_step_hold_only_where_somebody_stands() -> None:
    known = [Stand("rest", "Wait", "hourglass", "wait", 2)]
    sent = {"move-rest": "exit", "move-done": "same"}
    assert moves({"all": "each", **sent}, known) == {"rest": Move("exit")}
    assert moves({"all": "finish", **sent}, known) == {}
    assert moves({"all": "everybody", **sent}, known) == {"rest": Move("same")}


# pausing and resuming


def test_a_pause_is_asked_for_and_says_whom_it_holds(admin: Client, journey: Journey) -> None:
    enroll("u", "v")
    page = seen(admin, journey, "pause")
    assert "<strong>2</strong> people are inside." in page
    journey.refresh_from_db()
    assert journey.status == "live"
    post(admin, journey, "pause")
    assert journey.status == "paused"


def test_who_was_turned_away_is_named_and_stays_out_by_default(
    admin: Client, journey: Journey
) -> None:
    publishing.pause(journey, at=NOW)
    enroll("late")
    page = seen(admin, journey, "resume")
    assert "1 person was turned away" in page
    assert ">late</a>" in page
    assert "Nobody is overdue" in page
    post(admin, journey, "resume", how="now", again="drop")
    assert (journey.status, Enrollment.objects.count()) == ("live", 0)
    assert not Refusal.objects.filter(retry_at__isnull=False).exists()


def test_those_who_were_turned_away_are_spread_out(admin: Client, journey: Journey) -> None:
    publishing.pause(journey, at=NOW)
    enroll("a", "b")
    post(admin, journey, "resume", how="now", again="spread", again_over="2h")
    asked = Refusal.objects.order_by("pk").values_list("retry_at", flat=True)
    assert list(asked) == [NOW + DAY, NOW + DAY + HOUR]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"how": "spread", "over": "soon"}, "duration"),
        ({"how": "spread", "over": "0h"}, "more than nothing"),
        ({"how": "now", "again": "spread", "again_over": ""}, "Say how long: a number and a"),
        ({"how": "later"}, "Choose what becomes of those who are overdue."),
        ({"how": "now", "again": "?"}, "Choose what becomes of those who were turned away."),
    ],
)
def test_what_cannot_be_read_resumes_nothing(
    admin: Client, journey: Journey, form: dict[str, str], said: str
) -> None:
    publishing.pause(journey, at=NOW)
    response = admin.post(url(journey, "resume"), form)
    assert said in response.content.decode()
    journey.refresh_from_db()
    assert journey.status == "paused"


def test_statements_before_a_resumption_do_not_grow_with_people(
    admin: Client, journey: Journey
) -> None:
    publishing.pause(journey, at=NOW)

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            seen(admin, journey, "resume")
        return len(queries)

    enroll(*[f"a{number}" for number in range(3)])
    seen(admin, journey, "resume")
    few = statements()
    enroll(*[f"b{number}" for number in range(40)])
    assert statements() == few


# passages


def passage(client: Client, **which: Any) -> str:
    enrollment = Enrollment.objects.get(**which)
    address = reverse("admin:journeys_enrollment_change", args=[enrollment.pk])
    return html.unescape(client.get(address).content.decode())


def test_a_passage_tells_its_moves_and_keeps_the_words_of_what_is_gone(
    admin: Client, admin_user: Any, journey: Journey
) -> None:
    """Who was moved on is told of the step that is gone, and who stayed of the move itself."""
    enroll("gone")
    change(journey, rest=None, later={"kind": "wait", "for": "2d", "next": "done"})
    post(admin, journey, "publish", all="everybody")
    page = passage(admin)
    assert "Wait 7 days" in page
    assert "Moved here to version 2 by admin." in page
    assert ">help<" not in page
    change(journey, rest=None, later={"kind": "wait", "for": "4d", "next": "done"})
    post(admin, journey, "publish", all="everybody")
    assert "Moved to version 3 by admin, 3 Mar 2026, 09:00." in passage(admin)
    move = journey.relocations.latest("pk")
    post(admin, journey, "back", move.pk, sure="yes")
    page = passage(admin)
    assert "Put back to version 2: the move was taken back." in page
    assert "It stands at “Wait 2 days”" in page


def test_a_passage_that_was_moved_and_put_back_tells_both(admin: Client, journey: Journey) -> None:
    enroll("u")
    change(journey, rest=None)
    post(admin, journey, "publish", all="everybody")
    move = journey.relocations.get()
    post(admin, journey, "back", move.pk, sure="yes")
    page = passage(admin)
    assert page.index("Moved here to version 2") < page.index("Put back to version 1")


def test_statements_of_a_passage_do_not_grow_with_its_moves(
    admin: Client, journey: Journey
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            passage(admin)
        return len(queries)

    enroll("u")
    change(journey, rest=None)
    post(admin, journey, "publish", all="everybody")
    statements()
    few = statements()
    for days in range(3, 6):
        change(journey, rest=None, later={"kind": "wait", "for": f"{days}d", "next": "done"})
        post(admin, journey, "publish", all="everybody")
    assert passage(admin).count("Moved to version") == 3
    assert statements() == few


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ({"for": "99999999d"}, "The wait ends after the end of the calendar."),
        ({"until_event": {"event": "x"}}, "there is no time limit."),
        ({"until_event": {"event": "x", "timeout": "99999999d"}},
         "the time limit lies after the end of the calendar."),
    ],
)  # fmt: skip
def test_a_passage_without_a_deadline_says_why(
    admin: Client, journey: Journey, until: dict[str, Any], said: str
) -> None:
    change(journey, rest={"kind": "wait", **until, "next": "later"})
    publishing.publish(journey, at=NOW)
    enroll("u")
    assert said in passage(admin)


def test_a_passage_at_a_request_says_how_often_it_was_tried(
    admin: Client, journey: Journey
) -> None:
    change(journey, rest={"kind": "webhook", "url": "https://example.com/", "next": "later"})
    publishing.publish(journey, at=NOW)
    enroll("u")
    assert "The request was not tried yet; the next attempt is due now." in passage(admin)
    calls = WebhookCall.objects.all()
    calls.update(attempts=3, next_attempt_at=NOW + DAY + HOUR)
    page = passage(admin)
    assert "It goes on when the request was answered, or has failed for good." in page
    assert "The request was tried 3 times; the next attempt is in 1 hour." in page
    assert "no time limit" not in page
    calls.update(status="sending", attempts=4)
    assert "Attempt 4 is under way." in passage(admin)


def test_who_was_dropped_at_a_resumption_is_told_so(admin: Client, journey: Journey) -> None:
    enroll("u", at=NOW - 7 * DAY)
    publishing.pause(journey, at=NOW - HOUR)
    post(admin, journey, "resume", how="drop")
    assert "It was overdue when the journey was resumed, and was taken out then." in passage(admin)


def test_a_conversion_is_called_one_and_the_page_says_whose_it_is(
    admin: Client, journey: Journey
) -> None:
    enroll("u")
    Enrollment.objects.update(status="exited", reason="goal", ended_at=NOW, resume_at=None)
    page = passage(admin)
    assert page.count("Goal reached") == 2, "in the summary and at the end of the path"
    assert "Exited" not in page
    listed = admin.get(reverse("admin:journeys_enrollment_changelist")).content.decode()
    assert "Goal reached" in listed
    header = re.sub(r"<[^>]+>|\s+", " ", page[page.index("Enrollments") :])
    assert re.search(r"Enrollments +chevron_right +u ", header), "the last crumb is the person"


def test_home_says_where_nobody_has_ended_yet(admin: Client, journey: Journey) -> None:
    cache.clear()
    enroll("u")
    page = admin.get(reverse("admin:index")).content.decode()
    assert "nobody has ended yet" in page
    assert "of those who ended" not in page


# the past


def test_changes_are_discarded_after_a_question(admin: Client, journey: Journey) -> None:
    change(journey, rest={"kind": "wait", "for": "9d", "next": "later"})
    assert "“Wait 7 days” becomes “Wait 9 days”" in seen(admin, journey, "discard")
    assert publishing.unpublished(Journey.objects.get())
    post(admin, journey, "discard", revision=journey.draft_revision)
    assert not publishing.unpublished(journey)
    assert admin.get(url(journey, "discard")).status_code == 302, "nothing is left to discard"


def test_what_was_saved_meanwhile_is_not_discarded(admin: Client, journey: Journey) -> None:
    change(journey, rest={"kind": "wait", "for": "9d", "next": "later"})
    looked_at = journey.draft_revision
    change(journey, rest={"kind": "wait", "for": "8d", "next": "later"})
    response = admin.post(url(journey, "discard"), {"revision": looked_at})
    assert "Look at what is there before you discard it." in response.content.decode()
    journey.refresh_from_db()
    assert journey.draft["nodes"]["rest"]["for"] == "8d"


def test_any_earlier_draft_is_looked_at_and_restored(
    admin: Client, admin_user: Any, journey: Journey
) -> None:
    for span, at in (("8d", NOW), ("9d", NOW + DAY)):
        journey.refresh_from_db()
        nodes = {**JOURNEY["nodes"], "rest": {"kind": "wait", "for": span, "next": "later"}}
        publishing.save_draft(
            journey,
            {**JOURNEY, "nodes": nodes},
            by=admin_user,
            at=at,
            revision=journey.draft_revision,
        )
    page = seen(admin, journey, "history")
    assert "“Wait 8 days” becomes “Wait 9 days”" in page
    assert page.count("Restore this") == 2, "all but the one that is the draft now"
    kept = SavedDraft.objects.get(draft__nodes__rest__for="8d")
    looked = seen(admin, journey, "earlier", kept.pk)
    assert "“Wait 9 days” becomes “Wait 8 days”" in looked
    post(admin, journey, "restore_draft", kept.pk)
    assert journey.draft["nodes"]["rest"]["for"] == "8d"
    assert "Took the draft of 2 Mar 2026" in seen(admin, journey, "history")


def test_a_version_is_looked_at_from_the_history(
    admin: Client, admin_user: Any, journey: Journey
) -> None:
    change(journey, rest={"kind": "wait", "for": "9d", "next": "later"})
    publishing.publish(journey, by=admin_user, at=NOW + DAY)
    assert url(journey, "version", 2) in seen(admin, journey, "history")


def test_statements_of_the_history_do_not_grow(
    admin: Client, admin_user: Any, journey: Journey
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            seen(admin, journey, "history")
        return len(queries)

    def save(days: int) -> None:
        journey.refresh_from_db()
        nodes = {**JOURNEY["nodes"], "rest": {"kind": "wait", "for": f"{days}d", "next": "later"}}
        publishing.save_draft(
            journey,
            {**JOURNEY, "nodes": nodes},
            by=admin_user,
            at=NOW + days * DAY,
            revision=journey.draft_revision,
        )

    save(1)
    seen(admin, journey, "history")
    few = statements()
    for days in range(2, 12):
        save(days)
    assert statements() == few


def test_the_past_of_another_journey_is_its_own(admin: Client, journey: Journey) -> None:
    other = publishing.duplicate(journey, at=NOW)
    change(journey, rest=None)
    kept = SavedDraft.objects.first()
    assert kept is not None
    assert admin.post(url(other, "restore_draft", kept.pk)).status_code == 404
    assert admin.get(url(other, "earlier", kept.pk)).status_code == 404
    assert admin.get(url(other, "version", 1)).status_code == 404


# entering by hand


def test_people_are_entered_by_id_by_address_and_by_segment(admin: Client) -> None:
    data = {**copy.deepcopy(JOURNEY), "entry": {"trigger": {"manual": True}}}
    journey = publishing.create(data, at=NOW)
    publishing.publish(journey, at=NOW)
    ingest.record(
        [
            Identify(external_id="u1", email="One@x.org"),
            Identify(external_id="u2"),
            Identify(external_id="u3"),
        ],
        received_at=NOW,
    )
    guests = segments.make("Guests")
    segments.add(guests, [Contact.objects.get(external_id="u3").pk], at=NOW)
    told = admin.post(url(journey, "enter"), {"people": "one@X.org\nnobody"}, follow=True).text
    assert "1 person is asked in; the entry rules decide." in told
    assert "Not known: nobody." in told
    told = admin.post(
        url(journey, "enter"), {"people": "u2", "segment": str(guests.pk)}, follow=True
    ).text
    assert "2 people are asked in" in told
    work.work(NOW + DAY)
    entered = Enrollment.objects.values_list("contact__external_id", flat=True)
    assert sorted(entered) == ["u1", "u2", "u3"]
    for nobody in ({}, {"people": " ;\n"}, {"segment": "x" * 40}):
        assert "Nobody was named." in admin.post(url(journey, "enter"), nobody).text


def test_too_many_are_not_entered_in_part(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journeys.admin.operating.MOST_BY_HAND", 1)
    data = {**copy.deepcopy(JOURNEY), "entry": {"trigger": {"manual": True}}}
    journey = publishing.create(data, at=NOW)
    publishing.publish(journey, at=NOW)
    ingest.record([Identify(external_id="u1"), Identify(external_id="u2")], received_at=NOW)
    told = admin.post(url(journey, "enter"), {"people": "u1,u2"}).text
    assert "These are more than 1 people: nobody was asked in." in told
    work.work(NOW + DAY)
    assert not Enrollment.objects.exists()


# one person


def at_passage(name: str = "change") -> str:
    return reverse(f"admin:journeys_enrollment_{name}", args=[Enrollment.objects.get().pk])


def test_one_person_is_taken_out_and_what_was_not_sent_is_cancelled(
    admin: Client, journey: Journey
) -> None:
    enroll("u")
    mine = Enrollment.objects.get()
    Message.objects.create(
        contact=mine.contact,
        template=Template.objects.create(slug="hello", name="Hello"),
        enrollment=mine.pk,
        visit=1,
        to="u@example.com",
        queued_at=NOW,
    )
    assert at_passage("take_out") in admin.get(at_passage()).content.decode()
    asked = admin.get(at_passage("take_out")).content.decode()
    assert "1 mail that was not handed over yet is cancelled" in asked
    assert "they will not come in again" in asked
    assert Enrollment.objects.get().status == "waiting"
    told = admin.post(at_passage("take_out"), follow=True).content.decode()
    assert "u was taken out." in told
    assert "It was taken out by hand." in told
    assert at_passage("take_out") not in told
    mine.refresh_from_db()
    assert (mine.status, mine.reason, mine.ended_at) == ("exited", "taken_out", NOW + DAY)
    assert Message.objects.get().status == "cancelled"
    assert not work.work(NOW + 9 * DAY)
    assert f"Took passage {mine.pk} out by hand, which stood at “rest”." in seen(
        admin, journey, "history"
    )
    again = admin.post(at_passage("take_out"), follow=True).content.decode()
    assert "The journey had ended for this person already." in again


@pytest.mark.usefixtures("groups")
def test_who_may_only_look_takes_nobody_out(client: Client, journey: Journey) -> None:
    enroll("u")
    user = User.objects.create_user("ana", is_staff=True)
    user.groups.add(Group.objects.get(name="Analyst"))
    client.force_login(user)
    assert "Take out" not in client.get(at_passage()).content.decode()
    assert client.post(at_passage("take_out")).status_code == 403
    assert Enrollment.objects.get().status == "waiting"


@pytest.mark.parametrize("term", ["ann@", "ANN@x.o", "ann@x.org", "u1"])
def test_passages_are_found_by_the_beginning_of_an_address(
    admin: Client, journey: Journey, term: str
) -> None:
    ingest.record(
        [Identify(external_id="u1", email="Ann@x.org"), Identify(external_id="v", email="b@x.org")],
        received_at=NOW,
    )
    enroll("u1", "v")
    page = admin.get(reverse("admin:journeys_enrollment_changelist"), {"q": term})
    assert [one.contact.external_id for one in page.context["cl"].result_list] == ["u1"]


# lists in words


def test_passages_are_listed_in_words(admin: Client, journey: Journey) -> None:
    """Each in those of its own version; a reason by what it is called, or as the author has it."""
    enroll("u", "v", "w")
    Enrollment.objects.filter(contact__external_id="v").update(
        status="exited", reason="exit_when", ended_at=NOW, resume_at=None
    )
    Enrollment.objects.filter(contact__external_id="w").update(
        status="exited", reason="We were wrong", ended_at=NOW, resume_at=None
    )
    change(journey, rest={"kind": "wait", "for": "9d", "next": "later"})
    publishing.publish(journey, at=NOW)
    enroll("x", at=NOW + HOUR)
    address = reverse("admin:journeys_enrollment_changelist")
    page = admin.get(address, {"journey": journey.pk})
    words = html.unescape(page.content.decode())
    assert [one.step for one in page.context["cl"].result_list] == [
        "Wait 9 days", "Wait 7 days", "Wait 7 days", "Wait 7 days",
    ]  # fmt: skip
    assert "Exit condition" in words
    assert "We were wrong" in words
    offered = {spec.title: spec for spec in page.context["cl"].filter_specs}
    assert dict(offered["step"].lookup_choices)["rest"] == "Wait 9 days"
    assert dict(offered["reason"].lookup_choices) == {
        "exit_when": "Exit condition", "We were wrong": "We were wrong",
    }  # fmt: skip
    found = admin.get(address, {"journey": journey.pk, "reason": "exit_when"})
    assert [one.contact.external_id for one in found.context["cl"].result_list] == ["v"]


def test_steps_of_the_same_words_are_told_apart_where_one_is_chosen(
    admin: Client, journey: Journey
) -> None:
    change(journey, later={"kind": "wait", "for": "7d", "next": "done"})
    publishing.publish(journey, at=NOW)
    page = admin.get(reverse("admin:journeys_enrollment_changelist"), {"journey": journey.pk})
    [step] = [one for one in page.context["cl"].filter_specs if one.title == "step"]
    assert dict(step.lookup_choices) == {
        "done": "Leaves the journey", "later": "Wait 7 days (later)", "rest": "Wait 7 days (rest)",
    }  # fmt: skip


def test_statements_of_the_list_of_passages_do_not_grow(admin: Client, journey: Journey) -> None:
    address = reverse("admin:journeys_enrollment_changelist")

    def statements() -> int:
        with CaptureQueriesContext(connection) as found:
            assert admin.get(address).status_code == 200
        return len(found)

    enroll("a", "b")
    statements()
    few = statements()
    enroll(*(f"u{number}" for number in range(30)))
    assert statements() == few


def test_messages_say_which_journey_they_come_from_by_its_name(
    admin: Client, journey: Journey
) -> None:
    template = Template.objects.create(slug="hello", name="Good day", subject="x", text="x")
    enroll("u")
    contact = Contact.objects.get()
    sent = [
        Message.objects.create(
            contact=contact,
            template=template,
            journey=slug,
            node="n",
            queued_at=NOW,
        )
        for slug in ("calm", "gone")
    ]
    page = admin.get(reverse("admin:messaging_message_changelist"))
    rows = {one.journey: one.journey_name for one in page.context["cl"].result_list}
    assert rows == {"calm": "Calm", "gone": "gone"}
    assert "Calm · n" in page.content.decode()
    offered = {spec.title: spec for spec in page.context["cl"].filter_specs}
    assert offered["journey"].lookup_choices == [("calm", "Calm"), ("gone", "gone")]
    one = admin.get(reverse("admin:messaging_message_change", args=[sent[0].pk]))
    assert "By the journey “Calm”, node “n”." in html.unescape(one.content.decode())


# what nobody means


@pytest.mark.parametrize("odd", ["²", "9" * 30, "-1", "x"])
def test_odd_numbers_in_addresses_are_no_error_of_ours(
    admin: Client, journey: Journey, odd: str
) -> None:
    for name in ("enrollment", "refusal"):
        at = reverse(f"admin:journeys_{name}_changelist")
        assert admin.get(at, {"journey": odd, "node": "rest"}).status_code in (200, 302)
    assert admin.get(f"/admin/journeys/journey/{odd}/change/").status_code in (302, 404)
    assert admin.get(f"/admin/journeys/enrollment/{odd}/change/").status_code in (302, 404)
    for name in ("publish", "discard"):
        assert admin.post(url(journey, name), {"revision": odd}).status_code in (200, 302)


@pytest.mark.parametrize("unfit", ["a\0b", "a\ud83d"])
def test_text_that_no_database_keeps_is_refused_whole(
    admin: Client, journey: Journey, unfit: str
) -> None:
    draft = {**copy.deepcopy(JOURNEY), "name": unfit}
    sent = {"draft": draft, "revision": journey.draft_revision}
    answer = admin.post(url(journey, "draft"), json.dumps(sent), content_type="application/json")
    assert answer.status_code == 400
    journey.refresh_from_db()
    assert journey.draft["name"] == "Calm"
    if "\0" in unfit:
        at = reverse("admin:journeys_journey_changelist")
        assert "a character that no text may have" in admin.get(at, {"status__exact": unfit}).text
        assert admin.post(url(journey, "enter"), {"people": unfit}).status_code == 400


def test_before_a_resumption_one_is_told_of_those_who_move_then(
    admin: Client, journey: Journey
) -> None:
    """What was chosen when a version was published in the pause is done at the resumption."""
    Template.objects.create(slug="hello", name="Good day", subject="x", text="x")
    enroll("u", "v", "w")
    post(admin, journey, "pause")
    assert "another version" not in seen(admin, journey, "resume")
    send = {"kind": "send", "template": "hello", "transactional": True, "next": "later"}
    change(journey, rest=send)
    form = {"all": "each", "move-rest": "to:rest", "revision": journey.draft_revision}
    page = seen(admin, journey, "publish")
    assert 'value="to:later" data-mails-each="0"' in page
    post(admin, journey, "publish", **{**form, "move-rest": "same"})
    assert "3 people move to another version" in seen(admin, journey, "resume")
    hi = {**send, "next": "done"}
    change(journey, rest=None, hi=hi, later={"kind": "wait", "for": "1d", "next": "hi"})
    post(admin, journey, "publish", **{**form, "revision": journey.draft_revision,
                                       "move-rest": "to:hi"})  # fmt: skip
    page = seen(admin, journey, "resume")
    assert "Up to 3 mails are sent at once." in page
    post(admin, journey, "resume", how="now")
    while publishing.carry_on(NOW + DAY):
        pass
    assert Message.objects.count() == 3
