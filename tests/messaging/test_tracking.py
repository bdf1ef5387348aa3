"""What becomes of a message is an event of the contact (T7)."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason, tracking
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts.models import Event, Fact
from messaging import links, machines, subscriptions, views
from messaging.models import Message, SoftBounce, Suppression
from messaging.tracking import News, What, note
from tests.messaging.conftest import NOW, make_contact, queue

pytestmark = pytest.mark.django_db

PERSON = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0"


def fresh(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def sent(**fields: Any) -> Message:
    return queue(status="sent", sent_at=NOW, next_attempt_at=None, **fields)


def tell(message: Message, event_type: str, **fields: Any) -> None:
    """What a provider's webhook makes Anymail send."""
    event = AnymailTrackingEvent(
        event_type=event_type,
        timestamp=fields.pop("timestamp", NOW),
        metadata=fields.pop("metadata", {"message": str(message.uuid)}),
        message_id=fields.pop("message_id", None),
        esp_event=fields.pop("esp_event", {}),
        **fields,
    )
    tracking.send(sender=None, event=event, esp_name="Test")


def names() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("name", flat=True))


class TestNews:
    @pytest.mark.parametrize("what", [What.DELIVERED, What.OPENED, What.CLICKED, What.BOUNCED])
    def test_each_is_an_event_once_whatever_is_told_how_often(self, what: What) -> None:
        """T7: with the properties journey, node and template."""
        message = sent()
        for later in (0, 0, 60):
            at = NOW + timedelta(seconds=later)
            note([News(message.pk, what, at), News(message.pk, what, at)], received_at=at)
        event = Event.objects.get()
        assert event.name == f"message_{what}"
        assert event.occurred_at == NOW
        assert event.properties == {
            "journey": "welcome", "node": "hello", "template": message.template.slug,
        }  # fmt: skip
        assert getattr(fresh(message), f"{what}_at") == NOW
        fact = Fact.objects.get()
        assert (fact.kind, fact.event_id, fact.contact_id) == (
            "event",
            event.pk,
            message.contact_id,
        )

    def test_nothing_implies_another(self) -> None:
        message = sent()
        note([News(message.pk, What.CLICKED, NOW)], received_at=NOW)
        row = fresh(message)
        assert (row.opened_at, row.delivered_at) == (None, None)

    def test_a_machine_s_opening_is_kept_and_does_not_count(self) -> None:
        message = sent()
        note([News(message.pk, What.OPENED, NOW, machine=True)], received_at=NOW)
        assert (fresh(message).machine_opened_at, fresh(message).opened_at) == (NOW, None)
        assert names() == []

    def test_told_late_it_says_when_it_was(self) -> None:
        """T3: more than 72 hours late it is stored and starts nothing."""
        message = sent()
        note([News(message.pk, What.OPENED, NOW)], received_at=NOW + timedelta(hours=73))
        assert Event.objects.get().too_late

    def test_an_event_never_occurs_after_its_receipt(self) -> None:
        """C5."""
        message = sent()
        note([News(message.pk, What.OPENED, NOW + timedelta(hours=1))], received_at=NOW)
        assert Event.objects.get().occurred_at == NOW

    def test_state_and_address_change_before_the_event(self) -> None:
        """T7: one fact."""
        message = sent()
        note([News(message.pk, What.BOUNCED, NOW, suppress=True)], received_at=NOW)
        assert Suppression.objects.get().reason == "bounce"
        assert Fact.objects.count() == 1

    def test_many_cost_as_much_as_few(self) -> None:
        def count(number: int) -> int:
            news = [News(sent().pk, What.BOUNCED, NOW, suppress=True) for _ in range(number)]
            with CaptureQueriesContext(connection) as captured:
                note(news, received_at=NOW)
            return len(captured)

        assert count(2) == count(20)

    def test_five_soft_bounces_over_seven_days_suppress(self) -> None:
        contact = make_contact()

        def bounce(day: float) -> None:
            at = NOW + timedelta(days=day)
            note([News(sent(contact=contact).pk, What.BOUNCED, at, soft=True)], received_at=at)

        for day in (0, 1, 2, 3, 6.9):
            bounce(day)
        assert not Suppression.objects.exists()
        bounce(7)
        assert Suppression.objects.get().address == contact.email

    def test_a_delivery_forgets_soft_bounces(self) -> None:
        contact = make_contact()
        note([News(sent(contact=contact).pk, What.BOUNCED, NOW, soft=True)], received_at=NOW)
        note([News(sent(contact=contact).pk, What.DELIVERED, NOW)], received_at=NOW)
        assert not SoftBounce.objects.exists()


def ses(kind: str) -> dict[str, Any]:
    return {"bounce": {"bounceType": kind}}


class TestWebhooks:
    def test_over_http_as_a_provider_sends_them(self, client: Client, settings: Any) -> None:
        """Three times the same, out of order, and once with the wrong password."""
        from django.urls import clear_url_caches, include, path

        settings.ANYMAIL = {"WEBHOOK_SECRET": "a:b"}
        settings.ROOT_URLCONF = type(
            "urls", (), {"urlpatterns": [path("anymail/", include("anymail.urls"))]}
        )
        clear_url_caches()
        message = sent()
        told: dict[str, Any] = {
            "MessageID": "m",
            "Recipient": message.to,
            "UserAgent": PERSON,
            "Tag": "",
        }
        told["Metadata"] = {"message": str(message.uuid)}
        when = "2026-03-01T09:05:00Z"
        body = [
            told | {"RecordType": "Open", "ReceivedAt": when},
            told | {"RecordType": "Delivery", "DeliveredAt": when},
        ]
        for secret, status in (("a:b", 200), ("a:b", 200), ("a:x", 400)):
            key = base64.b64encode(secret.encode()).decode()
            for event in body:
                answer = client.post(
                    "/anymail/postmark/tracking/",
                    json.dumps(event),
                    content_type="application/json",
                    HTTP_AUTHORIZATION=f"Basic {key}",
                )
                assert answer.status_code == status
        assert sorted(names()) == ["message_delivered", "message_opened"]
        assert fresh(message).delivered_at == datetime(2026, 3, 1, 9, 5, tzinfo=UTC)

    def test_by_our_id_or_by_the_provider_s(self) -> None:
        message = sent(provider_id="theirs")
        tell(message, EventType.DELIVERED, metadata={}, message_id="theirs")
        assert names() == ["message_delivered"]
        tell(message, EventType.OPENED, metadata={"message": "nonsense"}, message_id="other")
        tell(message, EventType.OPENED, metadata={"message": "0" * 32}, message_id="theirs")
        assert names() == ["message_delivered"]

    @pytest.mark.parametrize(
        ("event_type", "reason", "raw", "suppressed"),
        [
            (EventType.BOUNCED, RejectReason.BOUNCED, {}, "bounce"),
            (EventType.BOUNCED, RejectReason.INVALID, {}, "bounce"),
            (EventType.REJECTED, RejectReason.UNSUBSCRIBED, {}, "bounce"),
            (EventType.REJECTED, RejectReason.SPAM, {}, "bounce"),
            (EventType.BOUNCED, RejectReason.BLOCKED, {}, None),
            (EventType.BOUNCED, RejectReason.TIMED_OUT, {}, None),
            (EventType.BOUNCED, RejectReason.OTHER, {}, None),
            (EventType.BOUNCED, RejectReason.BOUNCED, {"Type": "SoftBounce"}, None),
            (EventType.BOUNCED, RejectReason.BOUNCED, ses("Transient"), None),
            (EventType.BOUNCED, RejectReason.BOUNCED, ses("Permanent"), "bounce"),
            (EventType.DEFERRED, None, {}, None),
            (EventType.COMPLAINED, RejectReason.SPAM, {}, "complaint"),
        ],
    )  # fmt: skip
    def test_what_suppresses_the_address(
        self, event_type: str, reason: str | None, raw: dict[str, Any], suppressed: str | None
    ) -> None:
        message = sent()
        tell(message, event_type, reject_reason=reason, esp_event=raw)
        found = Suppression.objects.values_list("reason", flat=True).first()
        assert found == suppressed

    def test_a_complaint_is_a_change_of_the_contact(self) -> None:
        """T2; it is none of the four events of T7."""
        message = sent()
        tell(message, EventType.COMPLAINED)
        tell(message, EventType.COMPLAINED)
        assert fresh(message).complained_at == NOW
        assert Fact.objects.get().kind == "change"
        assert names() == []

    def test_unsubscribed_at_the_provider_s(self) -> None:
        message = sent()
        tell(message, EventType.UNSUBSCRIBED)
        assert subscriptions.takes([message.contact_id])[message.contact_id].unsubscribed_all

    def test_what_the_provider_could_not_send_has_failed(self) -> None:
        message = sent()
        tell(message, EventType.FAILED, description="No such template")
        assert (fresh(message).status, fresh(message).error) == ("failed", "No such template")

    @pytest.mark.parametrize(
        "event_type", [EventType.QUEUED, EventType.SENT, EventType.UNKNOWN, "new"]
    )
    def test_what_says_nothing_changes_nothing(self, event_type: str) -> None:
        tell(sent(), event_type)
        assert not Fact.objects.exists()


class TestOwnLinks:
    def visit(self, client: Client, url: str, method: str = "get", agent: str = PERSON) -> Any:
        parts = urlsplit(url)
        address = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return getattr(client, method)(address, HTTP_USER_AGENT=agent)

    def test_links_lead_through_us_and_on(self, client: Client) -> None:
        message = sent()
        target = "https://shop.test/a?b=1&c=ä%20ö#d"
        html = f'<body><a class="x" href="{target.replace("&", "&amp;")}">go</a></body>'
        tracked = links.track(html, message.uuid, opens=True, clicks=True, untouched=set())
        url = unescape(re.findall(r'href="([^"]*)"', tracked)[0])
        answer = self.visit(client, url)
        assert answer.status_code == 302
        assert answer["Location"] in (target, "https://shop.test/a?b=1&c=%C3%A4%20%C3%B6#d")
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Robots-Tag"] == "noindex"
        assert not answer.cookies
        assert names() == ["message_clicked"]

    @pytest.mark.parametrize(
        "href",
        [
            "mailto:a@b.test", "tel:+1", "#top", "javascript:alert(1)", "/relative", "data:x,y",
            "https://user:secret@shop.test/", "https://x.test/" + "a" * 3000, "https://j.test/u/x/",
        ],
    )  # fmt: skip
    def test_other_links_stay_as_they_are(self, href: str) -> None:
        html = f'<a href="{href}">x</a>'
        message = queue().uuid
        untouched = {"https://j.test/u/x/"}
        assert links.track(html, message, opens=False, clicks=True, untouched=untouched) == html

    def test_nobody_else_can_make_us_lead_anywhere(self, client: Client) -> None:
        message, other = sent(), sent()
        url = links.click_url(message.uuid, "https://shop.test/")
        for forged in (
            url.replace("shop.test", "evil.test"),
            url.replace(message.uuid.hex, other.uuid.hex),
            url.partition("?")[0],
            links.click_url(message.uuid, "javascript:alert(1)"),
            links.click_url(message.uuid, "https://shop.test@evil.test/"),
            links.click_url(message.uuid, "https://shop.test\\@evil.test/"),
        ):
            assert self.visit(client, forged).status_code == 404
        assert not Event.objects.exists()

    def test_the_picture_is_always_there(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = sent()
        url = links.open_url(message.uuid)
        forged = url.replace(message.uuid.hex, sent().uuid.hex)
        assert self.visit(client, forged).content == views.PICTURE
        assert names() == []
        for _ in range(2):
            answer = self.visit(client, url)
            assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
            assert len(answer.content) == 43
            assert not answer.cookies
        assert names() == ["message_opened"]
        message.delete()
        assert self.visit(client, url).status_code == 200

    def test_trouble_of_ours_is_not_the_reader_s(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*arguments: Any, **options: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr("messaging.tracking.note", broken)
        message = sent()
        assert self.visit(client, links.open_url(message.uuid)).status_code == 200
        url = links.click_url(message.uuid, "https://shop.test/")
        assert self.visit(client, url)["Location"] == "https://shop.test/"

    @pytest.mark.parametrize("method", ["head", "get"])
    def test_a_machine_s_click_does_not_count(self, client: Client, method: str) -> None:
        message = sent()
        url = links.click_url(message.uuid, "https://shop.test/")
        agent = PERSON if method == "head" else "Barracuda Sentinel"
        assert self.visit(client, url, method, agent).status_code == 302
        assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("method", "agent", "seconds", "machine"),
    [
        ("GET", PERSON, 60, False),
        ("GET", PERSON, 1, True),
        ("HEAD", PERSON, 60, True),
        ("GET", "Mozilla/5.0", 60, True),
        ("GET", "", 60, True),
        ("GET", f"{PERSON} (via ggpht.com GoogleImageProxy)", 60, True),
    ],
)  # fmt: skip
def test_who_is_a_machine(method: str, agent: str, seconds: int, machine: bool) -> None:
    assert machines.is_machine(method, agent, timedelta(seconds=seconds)) is machine
