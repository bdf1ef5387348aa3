"""Numbers in the admin: what they count, and that their links lead to exactly that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock, ingest
from contacts.ingest import Identify, Track
from journeys import publishing, reports, work
from journeys.admin import attention
from journeys.models import Enrollment, Journey
from journeys.timing import share
from messaging import wording
from messaging.models import Message, Template

pytestmark = pytest.mark.django_db(transaction=True)

DRAFT: dict[str, Any] = {
    "journey": "short",
    "name": "Short",
    "entry": {"trigger": {"event": "began"}, "reentry": "once"},
    "goal": {"event": "bought"},
    "start": "hello",
    "nodes": {
        "hello": {"kind": "send", "template": "hello", "next": "pause"},
        "pause": {"kind": "wait", "for": "1d"},
    },
}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ann", password="secret"))
    return client


@pytest.fixture
def journey() -> Journey:
    Template.objects.create(slug="hello", name="Hello", subject="Hello", text="Hello")
    made = publishing.create(DRAFT, by=None, at=clock.now())
    publishing.publish(made, at=clock.now())
    return made


def act(event: str, people: int, first: int = 0, at: datetime | None = None) -> None:
    at = at or clock.now()
    items: list[Any] = []
    for number in range(first, first + people):
        items.append(Identify(external_id=f"u{number}", email=f"u{number}@example.com"))
        items.append(Track(event, {}, at, None, f"u{number}"))
    ingest.record(items, received_at=at)
    while work.work(at):
        pass


def listed(client: Client, url: str) -> set[int]:
    response = client.get(url)
    assert response.status_code == 200, (url, [str(one) for one in get_messages(response)])
    return {row.pk for row in response.context["cl"].result_list}


def test_who_reached_the_goal_did_not_go_through(admin: Client, journey: Journey) -> None:
    act("began", 3)
    act("bought", 1)
    pause = reports.nodes(journey, None)["pause"]
    assert (pause.waiting, pause.goal, pause.outcomes) == (2, 1, {})
    people = reverse("admin:journeys_enrollment_changelist")
    reached = Enrollment.objects.get(reason="goal")
    assert listed(admin, f"{people}?journey={journey.pk}&through=pause:@goal") == {reached.pk}
    assert listed(admin, f"{people}?journey={journey.pk}&through=pause:@on") == set()
    assert len(listed(admin, f"{people}?journey={journey.pk}&through=hello:@on")) == 3


def test_numbers_of_a_card_lead_to_the_rows_they_count(admin: Client, journey: Journey) -> None:
    long_ago, now = clock.now() - timedelta(days=10), clock.now()
    act("began", 2, at=long_ago)
    act("began", 4, first=2)
    mails = list(Message.objects.order_by("pk").values_list("pk", flat=True))
    mail = Message.objects.filter
    mail(pk=mails[2]).update(status="failed", reason="template")
    mail(pk=mails[3]).update(status="sent", bounced_at=now)
    mail(pk=mails[4]).update(status="sent")
    mail(pk=mails[5]).update(status="skipped", reason="no_address")
    last = Enrollment.objects.order_by("pk").last()
    assert last is not None
    Enrollment.objects.filter(pk=last.pk).update(status="failed", resume_at=None, ended_at=now)
    address = reverse("admin:journeys_journey_numbers", args=[journey.pk])
    for period, entered in (("7d", 4), ("all", 6)):
        numbers = admin.get(address, {"period": period}).json()
        lists, hello = numbers["lists"], numbers["nodes"]["hello"]
        assert len(listed(admin, lists["people"])) == numbers["entered"] == entered
        went_on = listed(admin, f"{lists['people']}&through=hello:@on")
        assert len(went_on) == sum(hello["outcomes"].values()) == entered
        for became in ("failed", "bounced", "sent", "skipped", "queued"):
            rows = listed(admin, f"{lists['mails']}&node=hello&became={became}")
            assert len(rows) == hello["messages"][became], became
        failed = listed(admin, f"{lists['people']}&through=pause:@failed")
        assert (failed, numbers["nodes"]["pause"]["failed"]) == ({last.pk}, 1)
        here = listed(admin, f"{lists['people']}&node=pause")
        assert len(here) == numbers["nodes"]["pause"]["waiting"] == 3


def test_refusals_of_a_card_lead_to_those(admin: Client, journey: Journey) -> None:
    act("began", 2)
    act("began", 2)
    numbers = admin.get(reverse("admin:journeys_journey_numbers", args=[journey.pk])).json()
    assert sum(numbers["refused"].values()) == 2
    assert len(listed(admin, numbers["lists"]["refusals"])) == 2


def test_numbers_lead_nowhere_that_their_reader_may_not_look(
    client: Client, journey: Journey, django_user_model: Any
) -> None:
    eve = django_user_model.objects.create_user("eve", is_staff=True)
    eve.user_permissions.add(Permission.objects.get(codename="view_journey"))
    client.force_login(eve)
    answer = client.get(reverse("admin:journeys_journey_numbers", args=[journey.pk]))
    assert answer.json()["lists"] == {}


def test_conversion_is_of_those_who_ended(admin: Client, journey: Journey) -> None:
    act("began", 2)
    assert reports.totals([journey.pk])[journey.pk].conversion is None
    assert "nobody has ended yet" in admin.get(reverse("admin:index")).text


def test_a_rate_of_nothing_is_none() -> None:
    assert share(0, 0) == "–"
    assert share(0, 4) == "0 %"


def test_what_bounced_is_counted_once(admin: Client, journey: Journey) -> None:
    act("began", 3)
    mails = list(Message.objects.order_by("pk").values_list("pk", flat=True))
    Message.objects.filter(pk=mails[0]).update(status="failed")
    Message.objects.filter(pk=mails[1]).update(status="failed", bounced_at=clock.now())
    Message.objects.filter(pk=mails[2]).update(status="sent", bounced_at=clock.now())
    counts = reports.nodes(journey, None)["hello"].messages
    assert (counts["failed"], counts["bounced"], counts["sent"]) == (1, 2, 1)


def test_what_needs_attention_leads_to_exactly_that(admin: Client, journey: Journey) -> None:
    act("began", 5)
    now = clock.now()
    ids = list(Enrollment.objects.order_by("pk").values_list("pk", flat=True))
    failed = {"status": "failed", "resume_at": None}
    Enrollment.objects.filter(pk=ids[0]).update(**failed, ended_at=now)
    Enrollment.objects.filter(pk=ids[1]).update(**failed, ended_at=now - timedelta(days=30))
    Enrollment.objects.filter(pk=ids[2]).update(resume_at=now - timedelta(hours=1))
    Enrollment.objects.filter(pk=ids[3]).update(resume_at=now - timedelta(hours=1), held=True)
    mails = list(Message.objects.order_by("pk").values_list("pk", flat=True))
    Message.objects.filter(pk=mails[0]).update(status="uncertain")
    Message.objects.filter(pk=mails[1]).update(status="failed")
    found = {one.icon: one for one in attention.matters(now)}
    assert {icon: one.count for icon, one in found.items()} == {
        "error": 1, "schedule": 1, "help": 1, "unsubscribe": 1,
    }  # fmt: skip
    assert listed(admin, found["error"].url) == {ids[0]}
    assert listed(admin, found["schedule"].url) == {ids[2]}
    assert listed(admin, found["help"].url) == {mails[0]}
    assert listed(admin, found["unsubscribe"].url) == {mails[1]}


def test_home_has_a_fixed_number_of_statements(admin: Client, journey: Journey) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as statements:
            assert admin.get(reverse("admin:index")).status_code == 200
        return len(statements)

    act("began", 1)
    count()
    before = count()
    act("began", 20, first=1)
    assert count() <= before


def test_a_recipe_used_twice_has_two_names(admin: Client) -> None:
    for _ in range(2):
        admin.post(reverse("admin:journeys_journey_add_recipe"), {"recipe": "abandoned-cart"})
    names = sorted(Journey.objects.values_list("name", flat=True))
    assert names[1] == f"{names[0]} 2"


def test_the_list_tells_of_changes_that_are_not_live(admin: Client, journey: Journey) -> None:
    url = reverse("admin:journeys_journey_changelist")
    assert "unpublished changes" not in admin.get(url).text
    changed = {**DRAFT, "goal": {"event": "paid"}}
    journey.refresh_from_db()
    publishing.save_draft(journey, changed, at=clock.now(), revision=journey.draft_revision)
    assert "unpublished changes" in admin.get(url).text


def test_why_a_mail_was_not_sent_is_told_the_same_everywhere(journey: Journey) -> None:
    act("began", 1)
    mail = Message.objects.get()
    mail.status, mail.reason = "skipped", "unsubscribed"
    assert wording.story(mail) == f"“Hello” was not sent. {wording.REASONS['unsubscribed']}"
    assert wording.REASONS["unsubscribed"] in wording.said(mail)
