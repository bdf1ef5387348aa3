"""The admin's pages of this room: what they show, what they cost, and who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import AttributeName, Event, Fact
from messaging import samples, subscriptions, wording
from messaging.models import (
    Channel,
    Installation,
    Message,
    Subscription,
    Suppression,
    Template,
    Topic,
)
from tests.messaging.conftest import NOW, make_contact, make_template, make_topic, queue

pytestmark = pytest.mark.django_db

Status = Message.Status


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:messaging_{name}", args=args)


def signed_in(*permissions: str) -> Client:
    """Somebody of the staff who may do this and nothing else."""
    user = User.objects.create_user("staff", "staff@example.com", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    client = Client()
    client.force_login(user)
    return client


class TestLists:
    """No list costs more for more rows, and none counts a whole table."""

    @pytest.mark.parametrize(
        "name", ["message", "template", "topic", "subscription", "suppression"]
    )
    def test_few_statements_however_many_rows(self, admin_client: Client, name: str) -> None:
        def fill(number: int) -> None:
            for _ in range(number):
                message = queue(topic=make_topic(), journey="j")
                subscriptions.suppress(message.to, at=NOW)
                subscriptions.subscribe(message.contact_id, None, False, at=NOW)

        def statements() -> int:
            with CaptureQueriesContext(connection) as captured:
                answer = admin_client.get(url(f"{name}_changelist"))
            assert answer.status_code == 200
            return len(captured)

        fill(2)
        admin_client.get(url(f"{name}_changelist"))
        few = statements()
        fill(12)
        assert statements() == few <= 16

    def test_messages_are_found_by_address_and_by_person(self, admin_client: Client) -> None:
        message = queue(make_contact(email="Zoe@example.com", external_id="zz9"))
        queue()
        for term in ("zoe@EXAMPLE.com", "zoe", "zz9", "zz"):
            page = admin_client.get(url("message_changelist"), {"q": term})
            assert [row.pk for row in page.context["cl"].result_list] == [message.pk]

    def test_the_journeys_to_filter_by_are_those_that_are_there(self, admin_client: Client) -> None:
        for journey in ("b", "a", "b", ""):
            queue(journey=journey)
        page = admin_client.get(url("message_changelist"), {"journey": "b"})
        [chosen] = [s for s in page.context["cl"].filter_specs if s.title == "journey"]
        assert chosen.lookup_choices == [("a", "a"), ("b", "b")]
        assert page.context["cl"].result_count == 2

    def test_why_nothing_goes_out(self, admin_client: Client) -> None:
        assert b"No mail goes out" not in admin_client.get(url("message_changelist")).content
        Channel().close(NOW, "settings", "535 wrong password")
        page = admin_client.get(url("message_changelist")).content.decode()
        assert "No mail goes out at the moment." in page
        assert "535 wrong password" in page

    def test_trying_at_once(self, admin_client: Client) -> None:
        from contacts.clock import now

        Channel().close(now(), "unreachable", "", timedelta(hours=1))
        admin_client.get(url("message_try_now"))
        assert Channel.load().is_closed(now())
        admin_client.post(url("message_try_now"))
        assert not Channel.load().is_closed(now())


class TestOneMessage:
    def test_it_is_shown_as_it_was_sent(self, admin_client: Client) -> None:
        message = queue(
            status="sent", sent_at=NOW, opened_at=NOW, subject="Hi <Ann>",
            text="Dear Ann", html="<p>Dear Ann</p>",
        )  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(url("message_change", message.pk)).content.decode()
        assert len(captured) <= 10
        assert "Hi &lt;Ann&gt;" in page
        assert "Dear Ann" in page
        assert str(message.uuid) in page
        assert "It was handed over. Since then it was opened." in page
        assert "List-Unsubscribe" in page

    def test_its_html_can_do_nothing(self, admin_client: Client) -> None:
        """FACTS 6.2, stored XSS."""
        message = queue(html="<script>alert(1)</script>")
        page = admin_client.get(url("message_change", message.pk)).content.decode()
        assert "<script>alert" not in page
        assert 'sandbox src="' in page
        frame = admin_client.get(url("message_mail", message.pk))
        policy = frame["Content-Security-Policy"]
        assert policy.startswith("sandbox;")
        assert "allow-" not in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert frame["X-Frame-Options"] == "SAMEORIGIN"

    def test_unsure_messages_are_settled(self, admin_client: Client) -> None:
        sent, again = (queue(status="uncertain", ended_at=NOW) for _ in range(2))
        admin_client.post(url("message_settle", sent.pk), {"do": "sent"})
        admin_client.post(url("message_settle", again.pk), {"do": "again"})
        admin_client.get(url("message_settle", again.pk), {"do": "sent"})
        states = Message.objects.order_by("pk").values_list("status", flat=True)
        assert list(states) == [Status.SENT, Status.QUEUED]

    def test_many_are_settled_at_once_and_others_are_left(self, admin_client: Client) -> None:
        rows = [queue(status="uncertain", ended_at=NOW), queue(status="sent")]
        data = {"action": "send_again", "_selected_action": [row.pk for row in rows]}
        admin_client.post(url("message_changelist"), data)
        assert [Message.objects.get(pk=r.pk).status for r in rows] == [Status.QUEUED, Status.SENT]

    def test_looking_is_not_settling(self) -> None:
        client = signed_in("messaging.view_message")
        message = queue(status="uncertain", ended_at=NOW)
        assert b"Send again" not in client.get(url("message_change", message.pk)).content
        assert client.post(url("message_settle", message.pk), {"do": "again"}).status_code == 403
        assert client.post(url("message_try_now")).status_code == 403
        data = {"action": "send_again", "_selected_action": [message.pk]}
        client.post(url("message_changelist"), data)
        assert Message.objects.get().status == Status.UNCERTAIN

    def test_nobody_else_may_look(self) -> None:
        client = signed_in("messaging.view_topic")
        message = queue(html="x")
        for name in ("message_change", "message_mail", "message_settle"):
            assert client.get(url(name, message.pk)).status_code == 403
        assert Client().get(url("message_mail", message.pk)).status_code == 302

    def test_nothing_is_written_by_hand(self, admin_client: Client) -> None:
        message = queue()
        assert admin_client.get(url("message_add")).status_code == 403
        assert admin_client.get(url("message_delete", message.pk)).status_code == 403
        assert admin_client.get(url("message_change", 10**9)).status_code == 404
        assert admin_client.get(url("message_change", "x")).status_code == 404

    @pytest.mark.parametrize("status", Message.Status.values)
    @pytest.mark.parametrize("reason", ["", *wording.REASONS, "something_new"])
    def test_every_state_is_said_in_words(self, status: str, reason: str) -> None:
        said = wording.said(Message(status=status, reason=reason, attempts=1))
        assert said.endswith(".")
        assert "None" not in said


class TestTemplates:
    FORM = {"name": "Hi", "slug": "hi", "subject": "S", "written_in": "markdown"}

    def test_what_is_wrong_stands_at_its_field_with_its_line(self, admin_client: Client) -> None:
        answer = admin_client.post(
            url("template_add"), self.FORM | {"markdown": "a\n{% if x %}", "subject": "{{"}
        )
        errors = answer.context["adminform"].form.errors
        assert "Line 2" in errors["markdown"][0]
        assert "Line 1" in errors["subject"][0]

    def test_only_the_chosen_format_is_kept(self, admin_client: Client) -> None:
        body = {"markdown": "*hi*", "html": "<p>old</p>", "mjml": "x", "text": "t"}
        admin_client.post(url("template_add"), self.FORM | body)
        template = Template.objects.get()
        assert (template.markdown, template.html, template.mjml) == ("*hi*", "", "")
        assert template.text == "t"
        assert "<em>hi</em>" in template.compiled_html
        body = {
            "html": "<p>new</p>",
            "markdown": "*hi*",
            "written_in": "html",
            "name": "B",
            "subject": "S",
        }
        admin_client.post(url("template_change", template.pk), body)
        template.refresh_from_db()
        assert (template.slug, template.html, template.compiled_html) == ("hi", "<p>new</p>", "")

    def test_a_template_that_was_sent_stays_and_says_why(self, admin_client: Client) -> None:
        message, unused = queue(), make_template()
        page = admin_client.post(url("template_delete", message.template_id), {"post": "yes"}).text
        assert f"“{message.template}” stays: mails were made from it." in page
        assert "permission" not in page
        rows = [message.template_id, unused.pk]
        data = {"action": "delete_selected", "post": "yes", "_selected_action": rows}
        assert "Nothing was deleted" in admin_client.post(url("template_changelist"), data).text
        assert Template.objects.count() == 2
        admin_client.post(url("template_delete", unused.pk), {"post": "yes"})
        assert Template.objects.get() == message.template

    def test_wrong_mjml_is_refused_and_not_saved(self, admin_client: Client) -> None:
        body = {"written_in": "mjml", "mjml": "<mjml><mj-body>"}
        answer = admin_client.post(url("template_add"), self.FORM | body)
        assert "is not closed" in answer.context["adminform"].form.errors["mjml"][0]
        assert not Template.objects.exists()

    def test_the_mail_follows_what_is_written(self, admin_client: Client) -> None:
        contact = make_contact(attributes={"name": "<b>Ann</b>"})
        Event.objects.create(contact=contact, name="order_placed", properties={"total": 5})
        Event.objects.create(contact=contact, name="seen")
        form = self.FORM | {
            "subject": "For {{ contact.name }}",
            "markdown": "{{ contact.name }} owes {{ event.total }}",
            "sample": contact.pk,
        }
        found = admin_client.post(url("template_preview"), form).json()
        assert found["subject"] == "For <b>Ann</b>"
        assert "<b>Ann</b> owes 5" in found["text"]
        assert found["problems"] == []
        assert found["shown_for"] == f"Shown for {contact.email}, with the event order_placed."
        frame = admin_client.post(url("template_frame"), form)
        assert "&lt;b&gt;Ann&lt;/b&gt; owes 5" in frame.content.decode()
        assert frame["Content-Security-Policy"].startswith("sandbox;")
        assert not Message.objects.exists()

    def test_a_variable_nobody_has_is_said_while_one_writes(self, admin_client: Client) -> None:
        form = self.FORM | {"markdown": "{{ contact.nick }}", "html": "{{ contact.other }}"}
        [problem] = admin_client.post(url("template_preview"), form).json()["problems"]
        assert (problem["place"], problem["level"]) == ("markdown", "warning")
        assert "Nobody has “nick” so far" in problem["message"]
        assert "{{ contact.nick | default: '…' }}" in problem["message"]

    def test_names_of_attributes_are_offered_as_liquid_writes_them(
        self, admin_client: Client
    ) -> None:
        seen = {"first_seen_at": NOW, "last_seen_at": NOW}
        AttributeName.objects.create(name="First name", **seen)
        AttributeName.objects.create(name="a}}b", **seen)
        page = admin_client.get(url("template_add"))
        offered = dict(page.context["variables"])["Attributes"]
        assert offered == [("contact.First name", 'contact["First name"]')]
        written = '<option value="contact[&quot;First name&quot;]">contact.First name</option>'
        assert written in page.content.decode()

    def test_an_account_without_an_address_is_told_what_to_do(self, admin_client: Client) -> None:
        assert "data-send-test" in admin_client.get(url("template_add")).content.decode()
        User.objects.update(email="")
        page = admin_client.get(url("template_add")).content.decode()
        own = reverse("admin:auth_user_change", args=[User.objects.get().pk])
        assert "your account needs an e-mail address" in page
        assert own in page
        assert "data-send-test" not in page

    def test_dark_colours_of_its_own_are_known(self, admin_client: Client) -> None:
        form = self.FORM | {"markdown": "x"}
        assert admin_client.post(url("template_preview"), form).json()["dark"] is True
        form = self.FORM | {"written_in": "html", "html": "<p>x</p>"}
        assert admin_client.post(url("template_preview"), form).json()["dark"] is False

    def test_with_nobody_there_yet(self, admin_client: Client) -> None:
        form = self.FORM | {"markdown": "Hi {{ contact.first_name }}"}
        found = admin_client.post(url("template_preview"), form).json()
        assert "Hi Ann" in found["text"]
        assert "made up" in found["shown_for"]

    def test_what_is_wrong_is_told_while_one_writes(self, admin_client: Client) -> None:
        found = admin_client.post(url("template_preview"), self.FORM | {"markdown": "{% if"}).json()
        assert found["problems"][0]["place"] == "markdown"
        assert admin_client.post(url("template_preview"), {}).json()["problems"] == []
        for name in ("template_preview", "template_frame", "template_test"):
            assert admin_client.get(url(name)).status_code == 403

    def test_a_link_in_a_preview_is_nobody_s(self, admin_client: Client) -> None:
        make_contact()
        form = self.FORM | {"markdown": "{{ unsubscribe_url }}"}
        assert "/u/test/" in admin_client.post(url("template_preview"), form).json()["text"]

    def test_a_test_mail_goes_to_whoever_asks(self, settings: Any) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        make_contact()
        client = signed_in("messaging.view_template", "messaging.send_test_template")
        answer = client.post(url("template_test"), self.FORM | {"markdown": "Hello"})
        assert answer.json() == {"message": "Sent to staff@example.com."}
        [sent] = mail.outbox
        assert (sent.to, sent.subject) == (["staff@example.com"], "[Test] S")
        assert "/o/" not in sent.alternatives[0][0]  # type: ignore[attr-defined]
        broken = client.post(url("template_test"), self.FORM | {"markdown": "{% if"})
        assert broken.status_code == 400
        User.objects.update(email="")
        assert client.post(url("template_test"), self.FORM).status_code == 400
        assert len(mail.outbox) == 1

    def test_who_may_look_may_not_send(self) -> None:
        client = signed_in("messaging.view_template")
        assert client.post(url("template_test"), self.FORM).status_code == 403

    def test_a_way_out_that_is_closed_is_said(self, admin_client: Client, settings: Any) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        answer = admin_client.post(url("template_test"), self.FORM | {"markdown": "x"})
        assert answer.status_code == 502
        assert "could not be sent" in answer.json()["message"]

    def test_the_people_shown_are_only_for_those_who_may_see_people(self) -> None:
        contact = make_contact()
        client = signed_in("messaging.view_template")
        form = self.FORM | {"markdown": "x", "sample": contact.pk}
        assert client.post(url("template_preview"), form).status_code == 403

    def test_the_form_opens_with_few_statements(self, admin_client: Client) -> None:
        template = make_template()
        for _ in range(20):
            queue(template=template)
        admin_client.get(url("template_change", template.pk))
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(url("template_change", template.pk))
        assert page.status_code == 200
        assert len(captured) <= 12

    def test_a_template_in_use_is_not_deleted(self, admin_client: Client) -> None:
        template = queue().template
        admin_client.post(url("template_delete", template.pk), {"post": "yes"})
        assert Template.objects.exists()

    def test_the_event_that_fits_best_is_taken(self) -> None:
        contact = make_contact()
        for name, properties in (("a", {"x": 1}), ("b", {"y": 2})):
            Event.objects.create(contact=contact, name=name, properties=properties)
        template = Template(subject="{{ event.x }}", text="t")
        found = samples.preview(template, contact, transactional=True, now=NOW)
        assert found.event and found.event.name == "a"  # noqa: PT018


class TestTheRest:
    def test_topics(self, admin_client: Client) -> None:
        form = {"name": "All", "slug": "all", "description": ""}
        answer = admin_client.post(url("topic_add"), form)
        assert "stands for all" in str(answer.context["adminform"].form.errors)
        admin_client.post(url("topic_add"), form | {"slug": "news"})
        topic = Topic.objects.get()
        admin_client.post(url("topic_change", topic.pk), form | {"slug": "other", "name": "News"})
        topic.refresh_from_db()
        assert (topic.slug, topic.name, topic.subscribed_by_default) == ("news", "News", False)

    def test_suppressing_and_letting_go_are_changes_of_the_person(
        self, admin_client: Client
    ) -> None:
        """T2."""
        contact = make_contact(email="Ann@example.com")
        text = "ann@example.com\r\n bob@example.com,"
        answer = admin_client.post(url("suppression_add"), {"addresses": text})
        assert answer.status_code == 302
        assert admin_client.post(url("suppression_add"), {"addresses": "; ,"}).status_code == 200
        assert Suppression.objects.count() == 2
        assert list(Fact.objects.values_list("contact_id", flat=True)) == [contact.pk]
        found = admin_client.get(url("suppression_changelist"), {"q": "ANN@example.com"})
        [row] = found.context["cl"].result_list
        assert admin_client.get(url("suppression_change", row.pk)).status_code == 200
        answer = admin_client.post(url("suppression_delete", row.pk), {"post": "yes"})
        assert answer["Location"] == url("suppression_changelist")
        assert subscriptions.suppressed(["ann@example.com", "bob@example.com"]) == {
            "bob@example.com"
        }
        assert Fact.objects.count() == 2

    def test_what_is_no_address_is_not_suppressed(self, admin_client: Client) -> None:
        answer = admin_client.post(url("suppression_add"), {"addresses": "ok@example.com\nnope"})
        assert "“nope” is no e-mail address." in str(answer.context["adminform"].form.errors)
        assert not Suppression.objects.exists()

    def test_the_installation_is_one_form(self, admin_client: Client) -> None:
        assert admin_client.get(url("installation_changelist"), follow=True).status_code == 200
        form = {"timezone": "Europe/Berlin", "cap_count": 2, "cap_within": "7d", "from_name": "A"}
        admin_client.post(url("installation_change", 1), form)
        found = Installation.load()
        assert found.cap == (2, timedelta(days=7))
        assert (found.timezone, found.track_opens) == ("Europe/Berlin", False)
        page = admin_client.get(url("installation_change", 1)).content.decode()
        assert 'value="1w"' in page or 'value="7d"' in page
        for wrong in ({"cap_within": "x"}, {"cap_within": ""}, {"timezone": "Nowhere"}):
            answer = admin_client.post(url("installation_change", 1), form | wrong)
            assert answer.status_code == 200
        assert admin_client.get(url("installation_add")).status_code == 403
        assert admin_client.post(url("installation_delete", 1)).status_code == 403

    def test_a_person_s_page_shows_choices_and_mails(self, admin_client: Client) -> None:
        make_topic(name="News")
        message = queue(status="skipped", reason="capped")
        subscriptions.subscribe(message.contact_id, None, False, at=NOW)
        address = reverse("admin:contacts_contact_change", args=[message.contact_id])
        page = admin_client.get(address).content.decode()
        assert "All marketing mail" in page
        assert "was not sent" in page
        assert wording.REASONS["capped"] in page

    def test_what_a_person_takes_is_changed_by_hand(self, admin_client: Client) -> None:
        news, offers = make_topic(name="News"), make_topic(name="Offers")
        contact = make_contact()
        person = reverse("admin:contacts_contact_change", args=[contact.pk])
        page = url("subscription_of", contact.pk)
        assert page in admin_client.get(person).text
        asked = admin_client.get(page).text
        assert "Not chosen yet; this is the default." in asked
        assert f'name="shown" value="all topic-{news.slug} topic-{offers.slug}"' in asked
        shown = f"all topic-{news.slug} topic-{offers.slug}"
        switches = {"shown": shown, "all": "on", f"topic-{news.slug}": "on"}
        told = admin_client.post(page, switches, follow=True)
        assert told.redirect_chain == [(person, 302)]
        assert "takes was changed" in told.text
        (made,) = Subscription.objects.all()
        assert (made.topic, made.subscribed) == (offers, False)
        assert made.source == "admin in the admin"
        assert Fact.objects.filter(contact=contact).count() == 1
        switches |= {"shown": f"all topic-{news.slug}", f"topic-{offers.slug}": "on"}
        del switches["all"]
        admin_client.post(page, switches, follow=True)
        chosen = subscriptions.takes([contact.pk])[contact.pk]
        assert chosen == (True, {offers.slug: True})
        # The person unsubscribes while the page is open, on which nothing is touched.
        subscriptions.subscribe(contact.pk, news.slug, False, at=NOW)
        switches["shown"] = f"topic-{news.slug} topic-{offers.slug}"
        assert "takes was changed" not in admin_client.post(page, switches, follow=True).text
        chosen = subscriptions.takes([contact.pk])[contact.pk]
        assert chosen == (True, {offers.slug: True, news.slug: False})
        assert admin_client.get(url("subscription_of", contact.pk + 1)).status_code == 404

    def test_who_may_not_change_choices_only_sees_them(self) -> None:
        contact = make_contact()
        client = signed_in("contacts.view_contact", "messaging.view_subscription")
        page = url("subscription_of", contact.pk)
        person = reverse("admin:contacts_contact_change", args=[contact.pk])
        assert page not in client.get(person).text
        assert client.post(page, {"shown": ""}).status_code == 403
        assert not Subscription.objects.exists()
