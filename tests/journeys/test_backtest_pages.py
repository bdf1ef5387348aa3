"""The pages of a backtest: choosing a period, watching it, reading what came of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from contacts import clock
from contacts.models import Contact, Event
from journeys import backtest, plans, publishing
from journeys.admin.backtest import PeriodForm, sums
from journeys.calendar import zone
from journeys.models import Backtest, Journey
from messaging.models import Installation, Template

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRAFT = {
    "journey": "tried",
    "name": "Tried",
    "entry": {"trigger": {"event": "joined"}},
    "start": "welcome",
    "nodes": {"welcome": {"kind": "send", "template": "mail"}},
}
PERIOD = {"first": "2026-03-01", "last": "2026-03-31"}


@pytest.fixture(autouse=True)
def _at(monkeypatch: pytest.MonkeyPatch) -> None:
    plans.forget()
    monkeypatch.setattr("journeys.admin.backtest.now", lambda: NOW)
    Template.objects.create(slug="mail", name="Mail", subject="Hello", text="Hello")


@pytest.fixture
def journey() -> Journey:
    return Journey.objects.create(slug="tried", name="Tried", draft=DRAFT)


@pytest.fixture
def marketer(client: Client) -> Client:
    return signed_in(client, "view_journey", "change_journey", "view_contact")


def signed_in(client: Client, *may: str) -> Client:
    user = User.objects.create_user("someone", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    client.force_login(user)
    return client


def page(name: str, *args: int) -> str:
    return reverse(f"admin:journeys_journey_backtest{name}", args=args)


def joined(name: str, at: datetime) -> Contact:
    contact = Contact.objects.create(
        external_id=name, email=f"{name}@example.com", created_at=at - 100 * HOUR
    )
    Event.objects.create(contact=contact, name="joined", occurred_at=at, received_at=at)
    return contact


def begun(client: Client, journey: Journey, **period: str) -> Backtest:
    response = client.post(page("", journey.pk), {**PERIOD, **period})
    made = Backtest.objects.get()
    assert response["Location"] == page("_result", journey.pk, made.pk)
    return made


def worked(made: Backtest) -> None:
    while backtest.step(NOW):
        pass
    made.refresh_from_db()


def data(html: str, name: str) -> Any:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html)
    assert found
    return json.loads(found[1])


def test_a_period_is_chosen_in_days_of_the_installation(marketer: Client, journey: Journey) -> None:
    Installation(timezone="Europe/Berlin").save()
    assert "Europe/Berlin" in marketer.get(page("", journey.pk)).content.decode()
    made = begun(marketer, journey)
    assert made.period_from == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert made.period_until == datetime(2026, 3, 31, 21, 59, 59, 999999, tzinfo=UTC)
    assert (made.made_by.username if made.made_by else None) == "someone"


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-04-02", "2026-04-03", "must begin in the past"),
        ("2026-03-02", "2026-03-01", "must end after it begins"),
        ("2025-03-01", "2026-03-31", "366 days"),
        ("", "2026-03-01", "required"),
        ("0001-01-01", "9999-12-31", "366 days"),
    ],
)
def test_a_period_that_cannot_be_is_refused(first: str, last: str, said: str) -> None:
    form = PeriodForm({"first": first, "last": last}, where=zone("Asia/Tokyo"), at=NOW)
    assert not form.is_valid()
    assert said in str(form.errors)


def test_a_period_that_is_not_over_ends_now() -> None:
    form = PeriodForm({"first": "2026-03-30", "last": "2026-04-30"}, where=UTC, at=NOW)
    assert form.is_valid()
    assert form.cleaned_data["until"] == NOW
    assert form.cleaned_data["first"] == date(2026, 3, 30)


def test_problems_of_the_draft_stand_in_place_of_the_form(
    marketer: Client, journey: Journey
) -> None:
    Journey.objects.update(draft={**DRAFT, "start": "nowhere"})
    html = marketer.get(page("", journey.pk)).content.decode()
    assert "solve first" in html
    assert "Run the backtest" not in html
    assert marketer.post(page("", journey.pk), PERIOD).status_code == 200
    assert not Backtest.objects.exists()


def test_the_bar_moves_and_the_page_is_loaded_anew_at_the_end(
    marketer: Client, journey: Journey
) -> None:
    joined("ann", NOW - 50 * HOUR)
    made = begun(marketer, journey)
    standing = page("_standing", journey.pk, made.pk)
    waiting = marketer.get(standing)
    assert "HX-Refresh" not in waiting
    assert "hx-get" in waiting.content.decode()
    assert "Waiting to begin" in waiting.content.decode()
    worked(made)
    assert marketer.get(standing)["HX-Refresh"] == "true"


def test_goals_are_counted_only_where_there_is_one() -> None:
    side = dict.fromkeys(("people", "entered", "mails", "goals", "open", "failed"), 0)
    labels = [row.label for row in sums(side, side, has_goal=False)]
    assert "Goals reached" not in labels
    assert [row.label for row in sums(side, None, has_goal=True)].count("Goals reached") == 1


def test_only_one_at_a_time_is_begun(marketer: Client, journey: Journey) -> None:
    made = begun(marketer, journey)
    again = marketer.post(page("", journey.pk), PERIOD)
    assert again["Location"] == page("_result", journey.pk, made.pk)
    assert Backtest.objects.count() == 1


def test_it_is_cancelled_by_a_button(marketer: Client, journey: Journey) -> None:
    made = begun(marketer, journey)
    assert marketer.get(page("_cancel", journey.pk, made.pk)).status_code == 404
    marketer.post(page("_cancel", journey.pk, made.pk))
    made.refresh_from_db()
    assert made.status == "cancelled"
    assert "was cancelled" in marketer.get(page("_result", journey.pk, made.pk)).content.decode()


def test_the_result_names_people_days_and_the_difference(
    marketer: Client, journey: Journey
) -> None:
    publishing.publish(journey, by=None, at=NOW - 2000 * HOUR)
    ann, bob = joined("ann", NOW - 50 * HOUR), joined("bob", NOW - 60 * HOUR)
    entry = {
        "trigger": {"event": "joined"},
        "filter": {"attribute": "email", "op": "eq", "value": ann.email},
    }
    Journey.objects.update(draft={**DRAFT, "entry": entry})
    made = begun(marketer, journey)
    worked(made)
    html = marketer.get(page("_result", journey.pk, made.pk)).content.decode()
    assert "1 person would have entered" in html
    assert reverse("admin:contacts_contact_change", args=[ann.pk]) in html
    assert reverse("admin:contacts_contact_change", args=[bob.pk]) not in html
    whole, welcome = data(html, "chart")["choices"]
    assert (sum(whole["draft"][0]), sum(whole["live"][0])) == (1, 2)
    assert (sum(welcome["draft"][1]), sum(welcome["live"][1])) == (1, 2)
    assert len(data(html, "chart")["days"]) == 31
    assert data(html, "numbers")["nodes"] == {"welcome": {"people": 1, "mails": 1, "skipped": 0}}
    assert "<strong>0</strong> by the draft alone and <strong>1</strong> by version 1" in html
    assert "The entry filter" in html


def test_who_was_erased_since_is_not_shown(marketer: Client, journey: Journey) -> None:
    ann = joined("ann", NOW - 50 * HOUR)
    made = begun(marketer, journey)
    worked(made)
    assert ann.email not in json.dumps(made.result)
    ann.delete()
    html = marketer.get(page("_result", journey.pk, made.pk)).content.decode()
    assert "1 person would have entered" in html
    assert "Who would have entered" not in html


def test_people_are_shown_to_those_who_may_see_people(client: Client, journey: Journey) -> None:
    signed_in(client, "view_journey", "change_journey")
    joined("ann", NOW - 50 * HOUR)
    made = begun(client, journey)
    worked(made)
    html = client.get(page("_result", journey.pk, made.pk)).content.decode()
    assert "ann@example.com" not in html


def test_a_backtest_needs_the_permission_to_change_journeys(
    client: Client, journey: Journey
) -> None:
    signed_in(client, "view_journey", "view_contact")
    made = backtest.start(journey, NOW - 50 * HOUR, NOW, at=clock.now())
    for address in (
        page("", journey.pk),
        page("_result", journey.pk, made.pk),
        page("_standing", journey.pk, made.pk),
    ):
        assert client.get(address).status_code == 403
    assert client.post(page("", journey.pk), PERIOD).status_code == 403
    assert client.post(page("_cancel", journey.pk, made.pk)).status_code == 403
    made.refresh_from_db()
    assert made.status == "queued"


def test_another_journeys_backtest_is_not_found(marketer: Client, journey: Journey) -> None:
    other = Journey.objects.create(slug="other", name="Other", draft={**DRAFT, "journey": "other"})
    made = backtest.start(journey, NOW - 50 * HOUR, NOW, at=NOW)
    assert marketer.get(page("_result", other.pk, made.pk)).status_code == 404
