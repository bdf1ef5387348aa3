"""By hand: from an import and the API (§1), as from the admin."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from contacts import clock, ingest
from contacts.imports import running
from contacts.items import Identify
from contacts.models import ApiKey, Contact
from journeys import plans, publishing, work
from journeys.models import Enrollment, Journey, Refusal

pytestmark = pytest.mark.django_db

JOURNEY: dict[str, Any] = {
    "journey": "greet",
    "name": "Greet",
    "entry": {"trigger": {"manual": True}, "reentry": "every_time"},
    "start": "rest",
    "nodes": {"rest": {"kind": "wait", "for": "7d"}},
}


@pytest.fixture(autouse=True)
def journey(monkeypatch: pytest.MonkeyPatch) -> Journey:
    plans.forget()
    monkeypatch.setattr("contacts.imports.running.nudge", lambda: None)
    made = publishing.create(copy.deepcopy(JOURNEY), at=clock.now())
    publishing.publish(made, at=clock.now())
    by_event = {**copy.deepcopy(JOURNEY), "journey": "other", "name": "Other"}
    by_event["entry"] = {"trigger": {"event": "go"}}
    publishing.publish(publishing.create(by_event, at=clock.now()), at=clock.now())
    return made


def entered() -> list[str]:
    while work.work(clock.now()):
        pass
    rows = Enrollment.objects.order_by("pk").select_related("contact")
    return [str(one.contact) for one in rows]


def call(client: Client, **body: Any) -> Any:
    _, key = ApiKey.make("shop")
    headers = {"Authorization": f"Bearer {key}"}
    return client.post("/v1/enter", body, content_type="application/json", headers=headers)


def test_the_api_enters_whom_it_means(client: Client) -> None:
    ingest.record(
        [Identify(external_id="u1"), Identify(email="Ann@x.org"), Identify(anonymous_id="d1")],
        received_at=clock.now(),
    )
    for who in ({"userId": "u1"}, {"email": "ANN@x.org"}, {"anonymousId": "d1"}, {"userId": "new"}):
        answer = call(client, journey="greet", **who)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    found = entered()
    assert (found[0], found[1].lower(), found[3]) == ("u1", "ann@x.org", "new")
    assert len(found) == Contact.objects.count() == 4


def test_entering_leaves_an_address_written_as_it_is(client: Client) -> None:
    ingest.record(
        [Identify(email="mm5@qa.de"), Identify(external_id="u1", email="bo@qa.de")],
        received_at=clock.now(),
    )
    for who in (
        {"email": "MM5@qa.de"},
        {"userId": "u2", "email": "mM5@qa.de"},
        {"userId": "u1", "email": "Bo@qa.de"},
        {"email": "New@qa.de"},
    ):
        assert call(client, journey="greet", **who).status_code == 200
    people = Contact.objects.order_by("id").values_list("external_id", "email")
    assert list(people) == [("u2", "mm5@qa.de"), ("u1", "bo@qa.de"), (None, "New@qa.de")]


def test_a_call_that_is_repeated_enters_once(client: Client) -> None:
    for accepted in (1, 0):
        answer = call(client, journey="greet", userId="u1", messageId="m1").json()
        assert (answer["accepted"], answer["duplicate"]) == (accepted, 1 - accepted)
    assert entered() == ["u1"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"userId": "u1"}, "unknown_journey"),
        ({"userId": "u1", "journey": "other"}, "unknown_journey"),
        ({"userId": "u1", "journey": {"a": 1}}, "unknown_journey"),
        ({"journey": "greet"}, "no_id"),
        ({"journey": "greet", "userId": {"a": 1}}, "invalid_external_id"),
    ],
)
def test_what_can_not_be_entered_is_said_and_nothing_is_stored(
    client: Client, body: Any, code: str
) -> None:
    answer = call(client, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Contact.objects.exists()


def test_a_paused_journey_takes_nobody_in(client: Client, journey: Journey) -> None:
    publishing.pause(journey, at=clock.now())
    assert call(client, journey="greet", userId="u1").json()["code"] == "unknown_journey"


def upload(client: Client) -> Any:
    file = io.BytesIO(b"email\na@x.org\nb@x.org\nnone\n")
    file.name = "people.csv"
    return client.post(reverse("admin:contacts_import_add"), {"upload": file})["Location"]


def test_an_import_enters_everybody_in_the_file(admin_client: Client, journey: Journey) -> None:
    ingest.record([Identify(email="a@x.org")], received_at=clock.now())
    columns = upload(admin_client)
    offered = admin_client.get(columns).context["form"].fields["enter_journey"].choices
    assert [name for _, name in offered] == ["no journey", "Greet"]
    sent = {"to-0": "email", "overwrite": "all", "update_existing": "on"}
    assert admin_client.post(columns, sent | {"enter_journey": "0"}).status_code == 200
    assert admin_client.post(columns, sent | {"enter_journey": journey.pk}).status_code == 302
    running.run_due()
    assert entered() == []
    admin_client.post(columns.replace("columns", "do"), {"what": "start"})
    running.run_due()
    assert entered() == ["a@x.org", "b@x.org"]
    assert not Refusal.objects.exists()


def test_who_may_not_enter_people_is_offered_no_journey(client: Client) -> None:
    staff = User.objects.create_user("s", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=["view_import", "add_import"])
    )
    client.force_login(staff)
    assert "enter_journey" not in client.get(upload(client)).text


def test_the_command_enters_everybody_too(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("email\na@x.org\n")
    call_command("import_contacts", str(tmp_path / "people.csv"), "--enter", "greet")
    assert entered() == ["a@x.org"]
    with pytest.raises(CommandError, match="“other” is no live journey that starts by hand"):
        call_command("import_contacts", str(tmp_path / "people.csv"), "--enter", "other")
