"""Handing over: at most once, whatever happens in between (DESIGN §6, FACTS 3)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from anymail.exceptions import AnymailAPIError
from django.core import mail
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, Event, Fact
from messaging import delivery, leases, subscriptions
from messaging.models import (
    Channel,
    Installation,
    Message,
    SoftBounce,
    Subscription,
    Suppression,
    Template,
)
from messaging.outcomes import Kind, Outcome
from messaging.tracking import News, What, note
from tests.messaging.conftest import NOW, make_contact, make_template, make_topic, queue
from tests.servers import HANG_UP, SmtpSink, free_port

pytestmark = pytest.mark.django_db

Status = Message.Status


def fresh(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def at(**later: float) -> Any:
    return NOW + timedelta(**later)


class TestOverSMTP:
    def test_a_message_arrives_with_what_it_says_and_the_headers_it_needs(
        self, smtp_sink: SmtpSink
    ) -> None:
        Installation(
            from_name="Ann & Co", from_email="hi@shop.test", reply_to="help@shop.test"
        ).save()
        contact = make_contact(attributes={"name": "Bö"})
        template = make_template(html="<p>Dear <b>{{ contact.name }}</b> {{ event.cart_id }}</p>")
        message = queue(contact, template, context={"event": {"cart_id": "c7"}})
        assert delivery.run(NOW) == 1
        [mail] = smtp_sink.messages
        assert mail["Subject"] == "Hello Bö"
        assert mail["From"] == "Ann & Co <hi@shop.test>"
        assert mail["Reply-To"] == "help@shop.test"
        assert mail["To"] == contact.email
        assert mail["Message-ID"] == f"<{message.uuid}@shop.test>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail["List-Unsubscribe"].strip()
        assert link.startswith("<http")
        assert link.endswith("/>")
        text, html = (part.get_content() for part in mail.iter_parts())
        assert "Dear Bö," in text
        assert link.strip("<>") in text
        assert "<b>Bö</b> c7" in html
        assert "/o/" in html
        row = fresh(message)
        assert (row.status, row.sent_at is not None, row.provider) == (Status.SENT, True, "smtp")
        assert "Dear Bö," in row.text
        assert "<b>Bö</b>" in row.html
        assert "/o/" not in row.html  # looking at it in the admin is no opening
        assert (row.lease_until, row.next_attempt_at, row.attempts) == (None, None, 1)

    def test_transactional_mail_has_no_link_to_unsubscribe(self, smtp_sink: SmtpSink) -> None:
        queue(transactional=True)
        delivery.run(NOW)
        [mail] = smtp_sink.messages
        assert "List-Unsubscribe" not in mail
        assert "nsubscribe" not in mail.get_content()

    def test_a_batch_shares_a_connection_and_each_message_goes_to_one_person(
        self, smtp_sink: SmtpSink
    ) -> None:
        for _ in range(5):
            queue()
        assert delivery.run(NOW) == 5
        assert delivery.run(NOW) == 0
        assert len({mail.recipients[0] for mail in smtp_sink.received}) == 5

    def test_an_address_that_is_refused_bounces_and_is_suppressed(
        self, smtp_sink: SmtpSink
    ) -> None:
        message, other = queue(), queue()
        smtp_sink.answer("RCPT", "550 No such user", to=message.to)
        delivery.run(NOW)
        row = fresh(message)
        assert (row.status, row.reason) == (Status.FAILED, "refused")
        assert row.error == "550 No such user"
        assert row.bounced_at is not None
        assert subscriptions.suppressed([message.to.upper()]) == {message.to.upper()}
        event = Event.objects.get()
        assert (event.name, event.contact_id) == ("message_bounced", message.contact_id)
        assert event.properties == {
            "journey": "welcome", "node": "hello", "template": message.template.slug,
        }  # fmt: skip
        assert Fact.objects.get().event_id == event.pk  # one fact (T7)
        assert fresh(other).status == Status.SENT

    def test_a_policy_is_not_the_address_s_fault(self, smtp_sink: SmtpSink) -> None:
        message = queue()
        smtp_sink.answer("RCPT", "550 5.7.1 Blocked", to=message.to)
        delivery.run(NOW)
        assert fresh(message).status == Status.FAILED
        assert not Suppression.objects.exists()
        assert SoftBounce.objects.count() == 1

    def test_a_server_that_wants_it_later_gets_it_later(self, smtp_sink: SmtpSink) -> None:
        message = queue()
        smtp_sink.answer("RCPT", "450 greylisted", times=1)
        delivery.run(NOW)
        row = fresh(message)
        assert (row.status, row.error) == (Status.QUEUED, "450 greylisted")
        assert timedelta(seconds=59) < row.next_attempt_at - NOW < timedelta(seconds=65)
        assert delivery.run(at(seconds=30)) == 0
        assert delivery.run(at(seconds=70)) == 1

    def test_after_the_last_attempt_it_has_failed(self, smtp_sink: SmtpSink) -> None:
        message = queue()
        smtp_sink.answer("DATA", "451 later")
        for day in range(len(leases.BACKOFF) + 1):
            delivery.run(at(days=day))
        row = fresh(message)
        assert (row.status, row.reason, row.attempts) == (Status.FAILED, "gave_up", 8)
        assert delivery.run(at(days=30)) == 0

    def test_a_connection_that_breaks_after_the_body_leaves_doubt_and_no_second_mail(
        self, smtp_sink: SmtpSink
    ) -> None:
        message, other = queue(), queue()
        smtp_sink.answer("DATA", HANG_UP, times=1)
        delivery.run(NOW)
        rows = [fresh(message), fresh(other)]
        assert [row.status for row in rows] == [Status.UNCERTAIN, Status.SENT]
        for day in range(3):
            delivery.run(at(days=day))
        assert len(smtp_sink.received) == 2  # the one that hung up had taken it

    @pytest.mark.parametrize("stage", ["RCPT", "DATA"])
    def test_a_server_that_leaves_at_the_sight_of_one_mail_does_not_stop_the_others(
        self, smtp_sink: SmtpSink, stage: str
    ) -> None:
        """FACTS 3: 421 says that the server closes; where one mail causes it, that one waits."""
        message, other = queue(), queue()
        smtp_sink.answer(stage, "421 4.7.0 Closing", to=message.to)
        delivery.run(NOW)
        row = fresh(message)
        assert (row.status, row.reason, row.attempts) == (Status.QUEUED, "unreachable", 1)
        assert row.next_attempt_at - NOW >= leases.BACKOFF[0]
        assert (fresh(other).status, fresh(other).attempts) == (Status.QUEUED, 0)
        assert Channel.load().is_closed(at(seconds=1))
        delivery.run(at(seconds=30))
        assert fresh(other).status == Status.SENT
        for day in range(1, len(leases.BACKOFF) + 1):
            delivery.run(at(days=day))
        assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "gave_up")

    def test_a_break_before_the_body_is_tried_again(self, smtp_sink: SmtpSink) -> None:
        message = queue()
        smtp_sink.answer("RCPT", HANG_UP, times=1)
        delivery.run(NOW)
        assert fresh(message).status == Status.QUEUED
        assert delivery.run(at(minutes=2)) == 1
        assert len(smtp_sink.received) == 1

    def test_a_refused_mail_has_failed_without_a_bounce(self, smtp_sink: SmtpSink) -> None:
        message = queue()
        smtp_sink.answer("DATA", "554 spam")
        delivery.run(NOW)
        assert (fresh(message).status, fresh(message).bounced_at) == (Status.FAILED, None)
        assert not Suppression.objects.exists()


class TestClosedWay:
    def test_nobody_there_uses_up_no_attempt_and_waits_longer_each_time(
        self, smtp_sink: SmtpSink, settings: Any
    ) -> None:
        messages = [queue() for _ in range(3)]
        open_port, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
        assert delivery.run(NOW) == 0
        assert {fresh(m).status for m in messages} == {Status.QUEUED}
        assert {fresh(m).attempts for m in messages} == {0}
        channel = Channel.load()
        assert channel.reason == "unreachable"
        assert 4 < (channel.closed_until - NOW).total_seconds() < 6
        assert delivery.run(at(seconds=3)) == 0
        assert Channel.load().failures == 1  # not even tried
        delivery.run(at(seconds=10))
        assert Channel.load().failures == 2
        settings.EMAIL_PORT = open_port
        assert delivery.run(at(minutes=5)) == 3
        assert Channel.load().closed_until is None

    def test_a_wrong_key_stops_the_batch(self, provider: Provider) -> None:
        messages = [queue() for _ in range(3)]
        provider.fail(lambda message: status_error(401))
        assert delivery.run(NOW) == 0
        assert len(provider.asked) == 1
        assert [fresh(m).status for m in messages] == [Status.QUEUED] * 3
        assert Channel.load().reason == "settings"

    def test_too_fast_waits_as_long_as_the_provider_asks(self, provider: Provider) -> None:
        queue()
        provider.fail(lambda message: status_error(429, {"Retry-After": "40"}))
        delivery.run(NOW)
        assert 39 < (Channel.load().closed_until - NOW).total_seconds() < 42


class Provider:
    """Anymail's own test backend, which can be told to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from anymail.backends.test import EmailBackend

        self.asked: list[Any] = []
        self.error: Any = None
        original = EmailBackend.post_to_esp

        def post_to_esp(backend: Any, payload: Any, message: Any) -> Any:
            self.asked.append(message)
            if self.error and (error := self.error(message)):
                raise error
            return original(backend, payload, message)

        monkeypatch.setattr(EmailBackend, "post_to_esp", post_to_esp)

    def fail(self, error: Any) -> None:
        self.error = error


def status_error(status: int, headers: dict[str, str] | None = None) -> AnymailAPIError:
    import requests

    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    return AnymailAPIError(status_code=status, response=response)


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Provider:
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    return Provider(monkeypatch)


class TestOverAnAPI:
    def test_our_id_travels_in_the_metadata(self, provider: Provider) -> None:
        message = queue()
        delivery.run(NOW)
        sent = mail.outbox[0].anymail_test_params
        assert sent["metadata"] == {"message": str(message.uuid)}
        assert fresh(message).status == Status.SENT

    def test_an_error_of_the_provider_s_own_leaves_doubt(self, provider: Provider) -> None:
        message = queue()
        provider.fail(lambda message: status_error(502))
        delivery.run(NOW)
        assert fresh(message).status == Status.UNCERTAIN
        delivery.run(at(days=1))
        assert len(provider.asked) == 1

    def test_a_request_that_is_wrong_has_failed(self, provider: Provider) -> None:
        message = queue()
        provider.fail(lambda message: status_error(422))
        delivery.run(NOW)
        assert fresh(message).status == Status.FAILED

    @pytest.mark.parametrize("backend", ["resend", "brevo"])
    def test_the_key_by_which_a_provider_knows_a_mail(
        self, backend: str, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """FACTS 3.3: Resend reads it from the request's headers, Brevo from the mail's."""
        import requests

        requested: list[requests.PreparedRequest] = []

        def send(session: Any, request: requests.PreparedRequest, **kwargs: Any) -> Any:
            requested.append(request)
            response = requests.Response()
            response.status_code = 503 if len(requested) == 1 else 200
            response._content = b'{"id": "x", "messageId": "x"}'
            response.request = request
            return response

        monkeypatch.setattr(requests.Session, "send", send)
        settings.EMAIL_BACKEND = f"anymail.backends.{backend}.EmailBackend"
        settings.ANYMAIL = {f"{backend.upper()}_API_KEY": "k"}
        message = queue()
        delivery.run(NOW)
        assert fresh(message).status == Status.QUEUED  # it may be handed over again
        delivery.run(at(minutes=2))
        assert (fresh(message).status, fresh(message).provider_id) == (Status.SENT, "x")
        key = str(message.uuid)
        for request in requested:
            if backend == "resend":
                assert request.headers["Idempotency-Key"] == key
            else:
                assert f'"idempotencyKey": "{key}"' in str(request.body)
        assert requested[0].body == requested[1].body  # the very same mail

    def test_the_key_is_trusted_only_while_the_provider_keeps_it(self, settings: Any) -> None:
        settings.EMAIL_BACKEND = "anymail.backends.brevo.EmailBackend"
        message = queue(doubtful_since=at(minutes=-20), attempts=1)
        delivery.claim(NOW, 10)
        assert fresh(message).status == Status.UNCERTAIN


class TestLastLook:
    """P7: what was suppressed or unsubscribed before the claim never leaves."""

    @pytest.fixture(autouse=True)
    def _sink(self, smtp_sink: SmtpSink) -> None:
        self.sink = smtp_sink

    def refused(self, message: Message, reason: str) -> None:
        assert delivery.run(NOW) == 0
        row = fresh(message)
        assert (row.status, row.reason) == (Status.SKIPPED, reason)
        assert row.attempts == 0
        assert not self.sink.received

    def test_suppressed_address(self) -> None:
        """S2, however it is spelled."""
        message = queue(make_contact(email="Ann@Example.com"), transactional=True)
        subscriptions.suppress("ANN@example.com", at=NOW)
        self.refused(message, "suppressed")

    def test_suppressed_when_all_that_is_left_is_the_hash(self) -> None:
        message = queue()
        subscriptions.suppress(message.to, at=NOW)
        Suppression.objects.update(address="", reason="erased")
        self.refused(message, "suppressed")

    def test_unsubscribed_from_all(self) -> None:
        """S3."""
        message = queue()
        subscriptions.subscribe(message.contact_id, None, False, at=NOW)
        self.refused(message, "unsubscribed")

    def test_unsubscribed_from_the_topic(self) -> None:
        topic = make_topic()
        message = queue(topic=topic)
        subscriptions.subscribe(message.contact_id, topic.slug, False, at=NOW)
        self.refused(message, "unsubscribed")

    def test_a_topic_that_has_to_be_chosen(self) -> None:
        self.refused(queue(topic=make_topic(subscribed_by_default=False)), "unsubscribed")

    def test_address_gone(self) -> None:
        """S1."""
        message = queue()
        Contact.objects.update(email=" ")
        self.refused(message, "no_address")

    def test_transactional_mail_asks_for_no_subscription(self) -> None:
        message = queue(transactional=True, topic=make_topic(subscribed_by_default=False))
        subscriptions.subscribe(message.contact_id, None, False, at=NOW)
        assert delivery.run(NOW) == 1

    def test_choosing_a_topic_does_not_undo_the_unsubscription_from_all(self) -> None:
        topic = make_topic()
        message = queue(topic=topic)
        subscriptions.subscribe(message.contact_id, None, False, at=NOW)
        subscriptions.subscribe(message.contact_id, topic.slug, True, at=NOW)
        self.refused(message, "unsubscribed")

    def test_it_goes_to_the_address_the_contact_has_now(self) -> None:
        message = queue()
        Contact.objects.update(email="new@example.com")
        delivery.run(NOW)
        assert fresh(message).to == "new@example.com"
        assert self.sink.received[0].recipients == ["new@example.com"]

    def test_a_gate_holds_messages_back_until_it_opens(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, free = queue(journey="paused"), queue(journey="live")
        monkeypatch.setattr(delivery, "gates", [lambda: Q(journey="paused")])
        assert delivery.run(NOW) == 1
        assert fresh(held).status == Status.QUEUED
        assert fresh(free).status == Status.SENT
        monkeypatch.setattr(delivery, "gates", [])
        assert delivery.run(NOW) == 1


class Crash(BaseException):
    """The process dies here."""


class TestCrash:
    """P4: a process that dies leaves doubt, never a second mail."""

    @pytest.fixture(autouse=True)
    def _sink(self, smtp_sink: SmtpSink) -> None:
        self.sink = smtp_sink

    def test_between_claim_and_record_it_is_uncertain_and_never_sent_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = queue()
        with monkeypatch.context() as patch:
            patch.setattr(delivery, "record", crash)
            with pytest.raises(Crash):
                delivery.run(NOW)
        assert len(self.sink.received) == 1
        assert fresh(message).status == Status.SENDING
        assert "Dear" in fresh(message).text  # what may have been sent can be read
        delivery.run(at(minutes=1))
        assert fresh(message).status == Status.SENDING  # its lease runs
        for later in (5, 60, 100_000):
            delivery.run(at(minutes=later))
        row = fresh(message)
        assert (row.status, row.reason) == (Status.UNCERTAIN, "interrupted")
        assert row.ended_at is not None
        assert len(self.sink.received) == 1

    def test_before_anything_left_it_is_uncertain_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = queue()
        delivery.claim(NOW, 10)
        delivery.run(at(hours=1))
        assert fresh(message).status == Status.UNCERTAIN
        assert not self.sink.received

    def test_a_process_told_to_stop_gives_back_what_it_has_not_begun(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, third = queue(), queue(), queue()
        attempt = delivery.attempt

        def stop(parcel: Any, *rest: Any) -> Any:
            if parcel.message.pk == second.pk:
                raise Crash
            return attempt(parcel, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(delivery, "attempt", stop)
            with pytest.raises(Crash):
                delivery.run(NOW)
        states = [(fresh(m).status, fresh(m).attempts) for m in (first, second, third)]
        assert states == [(Status.SENT, 1), (Status.UNCERTAIN, 1), (Status.QUEUED, 0)]

    def test_the_owner_of_transactional_mail_may_choose_twice_over_not_at_all(self) -> None:
        template = make_template(resend_uncertain=True)
        wanted = queue(template=template, transactional=True)
        marketing = queue(template=template)
        delivery.claim(NOW, 10)
        delivery.run(at(hours=1))
        assert fresh(wanted).status == Status.SENT
        assert fresh(marketing).status == Status.UNCERTAIN

    def test_news_from_the_provider_settles_the_doubt(self) -> None:
        told, silent = queue(), queue()
        delivery.claim(NOW, 10)
        note([News(told.pk, What.DELIVERED, at(minutes=1))], received_at=at(minutes=1))
        delivery.run(at(hours=1))
        assert fresh(told).status == Status.SENT
        assert fresh(silent).status == Status.UNCERTAIN
        note([News(silent.pk, What.OPENED, at(hours=2))], received_at=at(hours=2))
        assert fresh(silent).status == Status.SENT
        assert fresh(silent).sent_at is not None

    def test_one_who_comes_back_late_settles_the_doubt_and_nothing_else(self) -> None:
        doubtful, again = queue(), queue()
        _, parcels = delivery.claim(NOW, 10)
        leases.recover(at(hours=1))
        leases.send_again(Message.objects.filter(pk=again.pk), now=at(hours=1))
        for parcel in parcels:
            parcel.begun, parcel.outcome = True, delivery.outcomes.ACCEPTED
        delivery.record(parcels, at(hours=2))
        assert fresh(doubtful).status == Status.SENT
        assert fresh(again).status == Status.QUEUED

    def test_one_who_comes_back_late_says_nothing_of_a_later_attempt(self) -> None:
        message = queue()
        _, parcels = delivery.claim(NOW, 10)
        leases.recover(at(hours=1))
        leases.send_again(Message.objects.filter(pk=message.pk), now=at(hours=1))
        delivery.claim(at(hours=1), 10)
        leases.recover(at(hours=2))
        assert fresh(message).status == Status.UNCERTAIN
        parcels[0].begun, parcels[0].outcome = True, Outcome(Kind.FAILED, "refused")
        delivery.record(parcels, at(hours=3))
        assert fresh(message).status == Status.UNCERTAIN

    def test_one_who_comes_back_late_with_a_repetition_settles_the_doubt(self) -> None:
        message = queue(template=make_template(resend_uncertain=True), transactional=True)
        delivery.claim(NOW, 10)
        leases.recover(at(hours=1))
        _, parcels = delivery.claim(at(hours=1), 10)
        Template.objects.update(resend_uncertain=False)
        leases.recover(at(hours=2))
        assert fresh(message).status == Status.UNCERTAIN
        parcels[0].begun, parcels[0].outcome = True, delivery.outcomes.ACCEPTED
        delivery.record(parcels, at(hours=3))
        assert fresh(message).status == Status.SENT

    def test_nothing_is_begun_shortly_before_the_lease_runs_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        messages = [queue() for _ in range(3)]
        attempt, passed = delivery.attempt, [0.0]

        def slow(*arguments: Any) -> Any:
            passed[0] += 120
            return attempt(*arguments)

        monkeypatch.setattr(delivery, "attempt", slow)
        monkeypatch.setattr(delivery.time, "monotonic", lambda: passed[0])
        delivery.run(NOW, limit=3)
        assert [fresh(m).status for m in messages] == [Status.SENT, Status.QUEUED, Status.QUEUED]

    def test_by_hand(self) -> None:
        sent = queue()
        queue()
        delivery.claim(NOW, 10)
        leases.recover(at(hours=1))
        everything = Message.objects.all()
        assert leases.mark_sent(everything.filter(pk=sent.pk)) == 1
        assert fresh(sent).sent_at == NOW
        assert leases.send_again(everything, now=at(hours=1)) == 1
        assert delivery.run(at(hours=1)) == 1


def crash(*arguments: Any) -> None:
    raise Crash


class TestPoison:
    @pytest.fixture(autouse=True)
    def _sink(self, smtp_sink: SmtpSink) -> None:
        self.sink = smtp_sink

    def test_a_message_that_can_t_be_rendered_fails_alone(self) -> None:
        template = make_template()
        Template.objects.filter(pk=template.pk).update(text="{% if %}")
        poison, other = queue(template=template), queue()
        assert delivery.run(NOW) == 1
        row = fresh(poison)
        assert (row.status, row.reason) == (Status.FAILED, "template")
        assert row.error.startswith("Line 1:")
        assert fresh(other).status == Status.SENT
        template.text = "mended"
        template.save()
        leases.send_again(Message.objects.filter(pk=poison.pk), now=NOW)
        assert delivery.run(NOW) == 1

    @pytest.mark.parametrize(
        "address", ["nobody", "a@b@c", "a@example.com\nBcc: b@example.com", "@"]
    )
    def test_an_address_that_is_none_fails_alone(self, address: str) -> None:
        message, other = queue(make_contact(email=address)), queue()
        assert delivery.run(NOW) == 1
        assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "invalid_address")
        assert fresh(other).status == Status.SENT
        assert [mail.recipients for mail in self.sink.received] == [[other.to]]


class TestStatements:
    """Claiming and recording cost the same for ten messages and for three."""

    def count(self, number: int, smtp_sink: SmtpSink, *, bounce: bool = False) -> int:
        for _ in range(number):
            queue(topic=make_topic())
        if bounce:
            smtp_sink.answer("RCPT", "550 No such user")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            delivery.run(NOW)
        return len([query for query in captured if "SAVEPOINT" not in query["sql"]])

    def test_sent(self, smtp_sink: SmtpSink) -> None:
        assert self.count(3, smtp_sink) == self.count(10, smtp_sink) <= 16

    def test_bounced(self, smtp_sink: SmtpSink) -> None:
        few = self.count(3, smtp_sink, bounce=True)
        assert few == self.count(10, smtp_sink, bounce=True)

    def test_nothing_to_do(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            assert delivery.run(NOW) == 0
        assert len(captured) == 2


class TestFiles:
    def test_a_mail_becomes_a_file_named_by_time_and_message(self, outbox_dir: Any) -> None:
        message = queue(make_contact(attributes={"name": "Zoë"}))
        delivery.run(NOW)
        [path] = outbox_dir.iterdir()
        assert path.name.endswith(f"Z-{message.uuid}.eml")
        assert b"Subject: =?utf-8?" in path.read_bytes()
        assert fresh(message).provider == "eml"

    def test_a_file_that_can_t_be_written_leaves_nothing_behind(self, outbox_dir: Any) -> None:
        outbox_dir.parent.joinpath("outbox").write_text("in the way")
        message = queue()
        delivery.run(NOW)
        assert fresh(message).status == Status.QUEUED
        assert Channel.load().reason == "unreachable"


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_silent_server_is_not_waited_for_in_vain(settings: Any, silent_server: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", silent_server
    settings.EMAIL_TIMEOUT = 0.2
    messages = [queue(), queue()]
    assert delivery.run(NOW) == 0
    assert [fresh(m).status for m in messages] == [Status.QUEUED] * 2
    assert Subscription.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_any_number_of_processes_at_once_send_each_message_once(smtp_sink: SmtpSink) -> None:
    """Two workers and a clock look at the same queue."""
    for _ in range(120):
        queue()
    start = threading.Barrier(3)

    def work(_: int) -> int:
        start.wait()
        try:
            return delivery.run(NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        handed_over = sum(pool.map(work, range(3)))
    assert handed_over == 120
    ids = [mail["Message-ID"] for mail in smtp_sink.messages]
    assert len(ids) == len(set(ids)) == 120
    assert set(Message.objects.values_list("status", "attempts")) == {(Status.SENT, 1)}
