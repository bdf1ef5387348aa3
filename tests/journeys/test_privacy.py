"""Export and erase: all that is known is told, and then no trace is left in any table."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from rq import Queue, SimpleWorker

from contacts import identity, ingest, privacy
from contacts.clock import now
from contacts.imports import running
from contacts.items import Identify, Track
from contacts.models import (
    Contact,
    Fact,
    Import,
    ImportChunk,
    PrivacyRecord,
    Receipt,
    RefusedRow,
    Segment,
)
from journeys import plans, publishing, work
from journeys.models import Enrollment, WebhookCall
from messaging import subscriptions
from messaging.models import Channel, Message, Suppression, Template, Topic

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADDRESS, FORMER, ID, OLD_ID = "Jane.Roe@x.org", "jane@old.org", "crm-7781", "crm-0042"
NAME, DEVICE = "Zebulonia", "device-aa11"
TRACES = (ADDRESS, FORMER, ID, OLD_ID, NAME, DEVICE)
FILE = (
    f"external_id,email,first_name\r\nother-1,other@x.org,Otto\r\n{ID},{ADDRESS},{NAME}\r\n"
    f'{ID},no address,"{NAME}"\r\nother-2,two@x.org,Twain\r\n'
).encode()


@pytest.fixture
def jane() -> Contact:
    """Somebody of whom every table has something to tell."""
    plans.forget()
    Template.objects.create(slug="hi", name="Hi", subject="{{ contact.first_name }}", text="Hello")
    Topic.objects.create(slug="news", name="News")
    Segment.objects.create(
        slug="named", name="Named", condition={"attribute": "first_name", "op": "is_set"}
    )
    definition = {
        "journey": "j",
        "name": "J",
        "entry": {
            "trigger": {"event": "go"},
            "filter": {"attribute": "first_name", "op": "is_set"},
        },
        "start": "mail",
        "nodes": {
            "mail": {"kind": "send", "template": "hi", "topic": "news", "next": "call"},
            "call": {"kind": "webhook", "url": "https://example.com/", "body": "{{ contact }}"},
        },
    }
    publishing.publish(publishing.create(definition, at=T0), at=T0)
    source = running.prepare(io.BytesIO(FILE), f"for {ADDRESS}.csv")
    running.check(source)
    running.run(source)
    running.start(source)
    running.run(source)
    ingest.record(
        [
            Track("go", {"name": NAME}, external_id=OLD_ID),
            Identify(external_id=OLD_ID, email=FORMER, anonymous_id=DEVICE),
            Identify({"nick": NAME}, external_id=ID, message_id=f"m-{ID}-1"),
            Track("go", {"name": NAME}, external_id=ID),
            Track("go", {}, external_id="other-1"),
        ],
        received_at=T0,
    )
    work.work(T0)
    contact = Contact.objects.get(external_id=ID)
    former = Contact.objects.get(external_id=OLD_ID)
    identity.merge(contact.pk, former.pk, at=T0 + HOUR)
    subscriptions.subscribe(contact.pk, "news", False, at=T0, source="Link")
    subscriptions.suppress(FORMER, at=T0)
    ingest.record([Track("waits", {"of": NAME}, external_id=ID)], received_at=T0 + HOUR)
    Message.objects.filter(contact=contact).update(text=f"Hello {NAME}", html=f"<p>{NAME}</p>")
    Channel(reason="refused", detail=f"550 {ADDRESS}: no such user", closed_until=T0).save()
    user = User.objects.create_user("boss")
    for model, pk in ((Contact, contact.pk), (Message, 1)):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(model),
            object_id=str(pk),
            object_repr=f"hi to {ADDRESS}",
            action_flag=CHANGE,
            change_message=f"Wrote to {ADDRESS}.",
        )
    contact.refresh_from_db()
    return contact


def dump() -> str:
    """All tables, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(found)


def traces(text: str) -> list[str]:
    lines = text.lower().splitlines()
    return [line for line in lines if any(trace.lower() in line for trace in TRACES)]


def uploads(settings: Any) -> str:
    files = Path(settings.MEDIA_ROOT).rglob("*.csv")
    return "\n".join(path.read_text() for path in files)


@pytest.fixture(autouse=True)
def own_uploads(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "uploads"


def test_the_export_tells_all_that_is_known(jane):
    found = privacy.export(jane, at=now())
    assert found["contact"]["external_id"] == ID
    assert found["contact"]["attributes"]["first_name"] == NAME
    assert found["anonymous_ids"][0]["value"] == DEVICE
    assert found["former_ids"] == [OLD_ID]
    assert found["merges"][0]["email"] == FORMER
    assert [event["name"] for event in found["events"]] == ["go", "go", "waits"]
    assert found["segments"][0]["slug"] == "named"
    assert [row["kind"] for row in found["waiting"]]
    assert {row.get("refused", "")[:4] for row in found["imports"]} >= {"", "“no "}
    assert {row["row"]["first_name"] for row in found["imports"] if "row" in row} == {NAME}
    assert found["subscriptions"][0]["topic"] == "news"
    assert found["suppressions"][0]["address"] == FORMER
    assert found["messages"][0]["text"] == f"Hello {NAME}"
    (passage,) = found["enrollments"]
    assert [visit["key"] for visit in passage["visits"]] == ["mail", "call"]
    assert passage["requests"][0]["url"] == "https://example.com/"
    assert found["refusals"][0]["reason"] == "filter"
    record = PrivacyRecord.objects.get()
    assert (record.action, record.contact_pk) == ("export", jane.pk)
    assert record.counts["events"] == 3


def test_erasing_leaves_no_trace(jane, settings, django_capture_on_commit_callbacks):
    assert len(traces(dump())) > 15
    assert traces(uploads(settings))
    others = set(Contact.objects.exclude(pk=jane.pk).values_list("external_id", flat=True))
    with django_capture_on_commit_callbacks(execute=True):
        privacy.erase(jane, at=now())
    assert traces(dump()) == []
    assert traces(uploads(settings)) == []
    assert set(Contact.objects.values_list("external_id", flat=True)) == others
    assert "Otto" in uploads(settings)
    assert Enrollment.objects.get().contact.external_id == "other-1"
    assert not WebhookCall.objects.exclude(enrollment__contact__external_id="other-1").exists()
    assert not RefusedRow.objects.exists()
    assert not Receipt.objects.exists()
    assert list(LogEntry.objects.values_list("object_repr", flat=True).distinct().order_by("pk"))
    record = PrivacyRecord.objects.get()
    assert (record.action, record.contact_pk) == ("erase", jane.pk)


def test_what_was_erased_stays_suppressed(jane):
    privacy.erase(jane, at=now())
    assert subscriptions.suppressed([ADDRESS, FORMER]) == {ADDRESS, FORMER}
    assert set(Suppression.objects.values_list("address", "reason")) == {("", "erased")}
    ingest.record(
        [Identify({"first_name": "J"}, external_id="new", email=ADDRESS.upper())],
        received_at=T0 + 2 * HOUR,
    )
    ingest.record([Track("go", external_id="new")], received_at=T0 + 2 * HOUR)
    work.work(T0 + 2 * HOUR)
    message = Message.objects.get(contact__external_id="new")
    assert (message.status, message.reason) == ("skipped", "suppressed")


def test_an_import_that_was_paused_goes_on_without_the_person(jane):
    source = running.prepare(io.BytesIO(FILE), "again.csv")
    assert running.start(source)
    with pytest.raises(privacy.Busy):
        privacy.erase(jane, at=now())
    assert Contact.objects.filter(pk=jane.pk).exists()
    assert running.pause(source)
    privacy.erase(jane, at=now())
    source.refresh_from_db()
    assert running.start(source)
    running.run(source)
    source.refresh_from_db()
    assert (source.status, source.position, source.refused) == ("done", 4, 2)
    assert traces(dump()) == []


def test_short_ids_take_nobody_else_along():
    running_file = b"external_id,seats\n7,1\n1,7\n"
    source = running.prepare(io.BytesIO(running_file), "seats 7.csv")
    running.start(source)
    running.run(source)
    Import.objects.update(status="done")
    privacy.erase(Contact.objects.get(external_id="7"), at=now())
    source.refresh_from_db()
    assert source.filename == "seats 7.csv"
    with running.opened(source) as file:
        assert file.read() == b"external_id,seats\r\n,,(erased)\r\n1,7\r\n"
    assert list(ImportChunk.objects.values_list("created", flat=True))
    assert Contact.objects.get().attributes == {"seats": 7}


def fails() -> None:
    raise ValueError(f"Key (email)=({ADDRESS}) already exists.")


def test_failed_jobs_are_forgotten(jane, redis_server, django_capture_on_commit_callbacks):
    own = django_rq.get_queue("bulk")
    queue = Queue("bulk", connection=own.connection, serializer=own.serializer)
    queue.enqueue(fails, job_id="told", failure_ttl=600)
    SimpleWorker([queue], connection=own.connection, serializer=own.serializer).work(burst=True)
    client = redis_server.client

    def kept() -> bytes:
        texts = []
        for key in client.scan_iter():
            kind = client.type(key)
            if kind == b"hash":
                texts += client.hgetall(key).values()
            elif kind == b"stream":
                texts += [value for _, row in client.xrange(key) for value in row.values()]
        return b"\n".join(texts)

    assert client.keys("rq:job:told")
    with django_capture_on_commit_callbacks(execute=True):
        privacy.erase(jane, at=now())
    assert not client.keys("rq:job:told*")
    assert ADDRESS.encode() not in kept()


def test_a_mail_that_became_a_file_goes(jane, outbox_dir, django_capture_on_commit_callbacks):
    outbox_dir.mkdir(exist_ok=True)
    (outbox_dir / "one.eml").write_text(f"To: {ADDRESS}\n\nHello")
    (outbox_dir / "two.eml").write_text("To: other@x.org\n\nHello")
    with django_capture_on_commit_callbacks(execute=True):
        privacy.erase(jane, at=now())
    assert [path.name for path in outbox_dir.iterdir()] == ["two.eml"]


# The commands and the admin


def test_the_commands(jane):
    out = StringIO()
    call_command("export_contact", ID, stdout=out)
    assert json.loads(out.getvalue())["contact"]["email"] == ADDRESS
    call_command("export_contact", f"#{jane.pk}", stdout=StringIO())
    with pytest.raises(CommandError, match="No contact has"):
        call_command("erase_contact", "nobody", "--yes", stdout=out)
    out = StringIO()
    call_command("erase_contact", ADDRESS, "--yes", stdout=out)
    assert "3 events" in out.getvalue()
    assert not Contact.objects.filter(pk=jane.pk).exists()


def signed_in(client: Client, *permissions: str) -> Client:
    user = User.objects.create_user("reader", is_staff=True)
    for name in ("view_contact", *permissions):
        user.user_permissions.add(
            Permission.objects.get(codename=name, content_type__app_label="contacts")
        )
    client.force_login(user)
    return client


def test_the_buttons_need_their_permissions(jane, client):
    signed_in(client)
    page = client.get(reverse("admin:contacts_contact_change", args=[jane.pk])).content.decode()
    export = reverse("admin:contacts_contact_export", args=[jane.pk])
    erase = reverse("admin:contacts_contact_erase", args=[jane.pk])
    assert export not in page
    assert erase not in page
    assert client.post(export).status_code == client.post(erase).status_code == 403
    assert Contact.objects.filter(pk=jane.pk).exists()


def test_a_person_is_exported_and_erased_from_their_page(jane, client):
    signed_in(client, "export_contact", "erase_contact")
    page = client.get(reverse("admin:contacts_contact_change", args=[jane.pk])).content.decode()
    export = reverse("admin:contacts_contact_export", args=[jane.pk])
    erase = reverse("admin:contacts_contact_erase", args=[jane.pk])
    assert export in page
    assert erase in page
    assert client.get(export).status_code == 405
    answer = client.post(export)
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer.json()["contact"]["external_id"] == ID
    asked = client.get(erase).content.decode()
    assert "<dt>Events</dt><dd>3</dd>" in asked
    assert "<dt>Passages through journeys</dt><dd>1</dd>" in asked
    assert Contact.objects.filter(pk=jane.pk).exists()
    assert client.post(erase).status_code == 302
    assert not Contact.objects.filter(pk=jane.pk).exists()
    assert not Fact.objects.filter(contact_id=jane.pk).exists()
    assert [(row.action, str(row.by)) for row in PrivacyRecord.objects.order_by("pk")] == [
        ("export", "reader"),
        ("erase", "reader"),
    ]
