"""The demo: its past is what the engine made of it, and no mail of it leaves the house."""

from __future__ import annotations

import random
from datetime import timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import OperationalError
from django.db.models import F

from contacts import clock
from contacts.models import Contact, Fact
from journeys.demo import past
from journeys.demo.inboxes import Inboxes
from journeys.management.commands import demo_traffic
from journeys.models import Enrollment, Journey, Visit
from messaging import tracking
from messaging.models import Message
from tests.messaging.conftest import NOW, make_contact, make_template, queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def house(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A VAR_DIR of its own, for a demo with few people."""
    settings.VAR_DIR, settings.OUTBOX_DIR = tmp_path, tmp_path / "outbox"
    monkeypatch.setattr(past, "PEOPLE", 40)
    return tmp_path


def test_the_past_is_in_the_outbox_and_ended_on_time(house: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND = "messaging.backends.EmlBackend"
    call_command("load_demo")
    sent = dict(Message.objects.filter(status="sent").values_list("uuid", "sent_at"))
    files = {file.name.partition("Z-")[2]: file for file in (house / "outbox").glob("*.eml")}
    assert sorted(files) == sorted(f"{uuid}.eml" for uuid in sent) != []
    for uuid, at in sent.items():
        written = message_from_bytes(files[f"{uuid}.eml"].read_bytes())
        assert parsedate_to_datetime(written["Date"]) == at.replace(microsecond=0)
    timed_out = Visit.objects.filter(node__key="finish", outcome="timeout")
    assert timed_out.exists()
    assert not timed_out.exclude(left_at=F("entered_at") + timedelta(seconds=30)).exists()
    assert not Fact.objects.filter(failed_at__isnull=False).exists()


def test_the_past_has_a_shape(house: Path) -> None:
    call_command("load_demo")
    assert Contact.objects.count() == 40
    days = Contact.objects.values_list("created_at__date", flat=True).distinct()
    assert len(days) > 20
    assert Enrollment.objects.filter(reason="goal").exists()
    opened = Message.objects.filter(opened_at__isnull=False).count()
    assert 0.3 < opened / Message.objects.filter(status="sent").count() < 0.6
    assert set(Journey.objects.values_list("status", flat=True)) == {"live", "draft"}


def test_somebody_reads_the_mails_of_now(house: Path, settings: Any) -> None:
    """Where mails become files no provider tells what became of them, so the demo does."""
    settings.EMAIL_BACKEND = "messaging.backends.EmlBackend"
    at = clock.now()
    template = make_template()
    people = [make_contact(external_id=f"demo-{number}") for number in range(41)]
    old, *fresh = [queue(person, template).pk for person in people]
    queue(make_contact(external_id="of-the-house"), template)
    mails = Message.objects.order_by("pk")
    mails.update(status="sent", sent_at=at + timedelta(seconds=1))
    mails.filter(pk=old).update(sent_at=at - timedelta(seconds=1))
    readers = demo_traffic.Readers(random.Random(7), at)
    readers.read(at + timedelta(seconds=2))
    assert not mails.filter(delivered_at__isnull=False).exists()
    readers.read(at + timedelta(seconds=5))
    told = mails.exclude(delivered_at=None, bounced_at=None)
    assert list(told.values_list("pk", flat=True)) == fresh
    readers.read(at + timedelta(hours=3))
    assert 0.2 < mails.filter(opened_at__isnull=False).count() / len(fresh) < 0.8


def test_what_a_busy_database_did_not_take_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: list[tuple[int, str]] = []

    free: list[bool] = []

    def note(told: list[tracking.News], received_at: object) -> None:
        if not free:
            raise OperationalError("database is locked")
        noted.extend((news.message_id, news.what.value) for news in told)

    monkeypatch.setattr(tracking, "note", note)
    readers = Inboxes(random.Random(1))
    readers.foresee(Message(pk=7, sent_at=NOW))
    with pytest.raises(OperationalError):
        readers.tell(NOW + timedelta(days=30))
    free.append(True)
    readers.tell(NOW + timedelta(days=30))
    assert (7, "delivered") in noted
    readers.tell(NOW + timedelta(days=60))
    assert len(noted) == len(set(noted))


def test_no_mail_of_the_past_leaves(house: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    call_command("load_demo")
    assert mail.outbox == []
    assert not (house / "outbox").exists()
    assert set(Message.objects.filter(status="sent").values_list("provider")) == {("demo",)}
