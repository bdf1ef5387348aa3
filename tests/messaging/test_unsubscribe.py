"""Links in mails: one click, the pages, and whom a link is for (FACTS 4.1, RFC 8058)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import signing
from django.test import Client

from contacts.identity import merge
from contacts.models import Contact, Fact
from messaging import envelope, links, subscriptions
from messaging.models import Message, Subscription
from tests.messaging.conftest import NOW, make_contact, make_topic, queue
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def message() -> Message:
    return queue()


@pytest.fixture
def about_a_topic() -> Message:
    return queue(topic=make_topic(slug="news", name="Product news"))


def path(message: Message, kind: str = "unsubscribe") -> str:
    url = links.template_urls(envelope.recipient_of(message))[f"{kind}_url"]
    return str(url).removeprefix("http://127.0.0.1:8000")


def choices(contact_id: int) -> subscriptions.Choices:
    return subscriptions.takes([contact_id]).get(contact_id, subscriptions.NO_CHOICE)


class TestOneClick:
    """Exactly as RFC 8058 has it: a POST from nobody in particular, and 200."""

    @pytest.mark.parametrize("slash", ["/", ""])
    @pytest.mark.parametrize(
        "form",
        [
            {"data": {"List-Unsubscribe": "One-Click"}},  # multipart/form-data
            {
                "data": "List-Unsubscribe=One-Click",
                "content_type": "application/x-www-form-urlencoded",
            },
            {"data": "", "content_type": "text/plain"},
            {"data": b"\xff\xfe", "content_type": "application/octet-stream"},
            {"data": b"x", "content_type": "multipart/form-data"},
            {
                "data": "a=b&" * 10_001,
                "content_type": "application/x-www-form-urlencoded",
            },
        ],
        ids=["multipart", "urlencoded", "nothing", "anything", "no boundary", "too many fields"],
    )
    def test_200_no_redirect_no_cookie_and_twice_is_no_error(
        self, message: Message, slash: str, form: dict[str, Any], settings: Any
    ) -> None:
        settings.SESSION_SAVE_EVERY_REQUEST = True
        client = Client(enforce_csrf_checks=True)
        for _ in range(2):
            answer = client.post(path(message).rstrip("/") + slash, **form)
            assert answer.status_code == 200
            assert "Location" not in answer
            assert not answer.cookies
            assert "Set-Cookie" not in answer
            assert answer["Cache-Control"] == "no-store"
        assert choices(message.contact_id).unsubscribed_all

    def test_it_is_about_the_topic_of_the_mail(
        self, about_a_topic: Message, client: Client
    ) -> None:
        client.post(path(about_a_topic), {"List-Unsubscribe": "One-Click"})
        assert choices(about_a_topic.contact_id) == (False, {"news": False})

    def test_it_is_a_change_of_the_contact(
        self, message: Message, client: Client, django_capture_on_commit_callbacks: Any
    ) -> None:
        """T2."""
        client.post(path(message))
        fact = Fact.objects.get()
        assert (fact.kind, fact.contact_id, fact.payload) == ("change", message.contact_id, {})

    def test_where_it_was_chosen_is_kept(self, message: Message, client: Client) -> None:
        client.post(path(message))
        assert Subscription.objects.get().source == "one click"


class TestGet:
    """Scanners follow links, so looking changes nothing."""

    @pytest.mark.parametrize("kind", ["unsubscribe", "preferences"])
    @pytest.mark.parametrize("method", ["get", "head"])
    def test_mutates_nothing(
        self, message: Message, client: Client, kind: str, method: str
    ) -> None:
        answer = getattr(client, method)(path(message, kind))
        assert answer.status_code == 200
        assert not answer.cookies
        assert not Subscription.objects.exists()
        assert not Fact.objects.exists()

    def test_it_says_whom_and_what_it_is_about(
        self, about_a_topic: Message, client: Client
    ) -> None:
        page = client.get(path(about_a_topic)).content.decode()
        assert about_a_topic.contact.email in page
        assert "Unsubscribe from Product news" in page
        assert "Unsubscribe from everything" in page

    def test_names_are_escaped(self, client: Client) -> None:
        message = queue(make_contact(email="<b>@example.com"), topic=make_topic(name="<i>x</i>"))
        for kind in ("unsubscribe", "preferences"):
            page = client.get(path(message, kind)).content.decode()
            assert "<i>" not in page
            assert "<b>" not in page


class TestForged:
    @pytest.mark.parametrize("kind", ["u", "p"])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_one_answer_to_all_that_is_not_ours(
        self, client: Client, message: Message, kind: str, method: str
    ) -> None:
        ours = path(message)
        other = signing.Signer(salt="other").sign_object([message.contact_id, None, None])
        gone = links.recipient_token(links.Recipient(10**9, None, None))
        answers = [
            getattr(client, method)(f"/{kind}/{token}/")
            for token in (other, gone, ours.split("/")[2][:-1], "x", "a:b", "....")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert not Subscription.objects.exists()

    def test_links_outlive_the_key_they_were_made_with(
        self, message: Message, client: Client, settings: Any
    ) -> None:
        old = path(message)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [settings.SECRET_KEY]
        assert client.get(old).status_code == 200
        settings.SECRET_KEY_FALLBACKS = []
        assert client.get(old).status_code == 404

    def test_links_outlive_the_message(self, message: Message, client: Client) -> None:
        link = path(message)
        message.delete()
        assert client.post(link).status_code == 200
        assert choices(message.contact_id).unsubscribed_all

    def test_links_lead_to_whom_the_contact_was_merged_into(
        self, message: Message, client: Client
    ) -> None:
        link = path(message)
        winner = make_contact()
        merge(winner.pk, message.contact_id, at=NOW)
        assert not Contact.objects.filter(pk=message.contact_id).exists()
        client.post(link)
        assert choices(winner.pk).unsubscribed_all

    def test_who_tries_many_is_held_up_and_no_link_of_ours_is(
        self, redis_server: RedisServer, message: Message, client: Client, settings: Any
    ) -> None:
        settings.BAD_LINK_LIMIT = 3
        answers = [client.get(f"/u/guess{number}/") for number in range(8)]
        # A minute may end in between, and then counting begins anew.
        assert 429 in {answer.status_code for answer in answers}
        held_up = next(answer for answer in answers if answer.status_code == 429)
        assert 0 < int(held_up["Retry-After"]) <= 60
        assert client.post(path(message)).status_code == 200
        assert choices(message.contact_id).unsubscribed_all
        [key] = {bytes(key).split(b":")[1] for key in redis_server.client.keys("limit:*")}
        assert b"127.0.0.1" not in key

    def test_it_is_never_redirected_to_https(
        self, message: Message, client: Client, settings: Any
    ) -> None:
        """RFC 8058: a one-click POST is not redirected, whatever a proxy forgets to tell."""
        settings.SECURE_SSL_REDIRECT = True
        assert client.post(path(message)).status_code == 200
        assert client.get("/admin/").status_code == 301

    def test_a_test_mail_s_link_changes_nothing(self, client: Client) -> None:
        for kind in ("u", "p"):
            assert client.post(f"/{kind}/{links.TEST}/").status_code == 200
        assert not Subscription.objects.exists()


class TestPages:
    def test_by_button_and_back(self, about_a_topic: Message, client: Client) -> None:
        contact, link = about_a_topic.contact_id, path(about_a_topic)
        assert "no more mail about" in client.post(link, {"do": "topic"}).content.decode()
        assert choices(contact) == (False, {"news": False})
        client.post(link, {"do": "undo", "what": "topic"})
        assert choices(contact) == (False, {"news": True})
        assert "no more marketing mail" in client.post(link, {"do": "all"}).content.decode()
        assert choices(contact).unsubscribed_all
        assert "already unsubscribed" in client.get(link).content.decode()
        client.post(link, {"do": "undo", "what": "all"})
        assert choices(contact) == (False, {"news": True})

    def test_topics_are_chosen(self, message: Message, client: Client) -> None:
        for slug in ("a", "b", "c"):
            make_topic(slug=slug, subscribed_by_default=slug != "b")
        link = path(message, "preferences")
        page = client.get(link).content.decode()
        assert page.count(" checked") == 2
        client.post(link, {"do": "save", "topic": ["b", "c", "nonsense"]})
        assert choices(message.contact_id) == (False, {"a": False, "b": True, "c": True})
        assert Fact.objects.count() == 1

    def test_nothing_at_all_keeps_the_choices_by_topic(
        self, message: Message, client: Client
    ) -> None:
        make_topic(slug="a")
        link = path(message, "preferences")
        client.post(link, {"do": "save", "topic": ["a"]})
        client.post(link, {"do": "nothing"})
        assert choices(message.contact_id) == (True, {"a": True})
        client.post(link, {"do": "save", "topic": ["a"]})
        assert choices(message.contact_id) == (False, {"a": True})


class TestChoices:
    def test_in_one_statement_for_many(self, django_assert_num_queries: Any) -> None:
        people = [make_contact() for _ in range(20)]
        make_topic(slug="a")
        for person in people[:10]:
            subscriptions.subscribe(person.pk, "a", False, at=NOW)
        subscriptions.subscribe(people[0].pk, None, False, at=NOW)
        with django_assert_num_queries(1):
            found = subscriptions.takes([person.pk for person in people])
        assert len(found) == 10
        assert found[people[0].pk] == (True, {"a": False})
        addresses = [person.email.upper() for person in people]
        subscriptions.suppress(addresses[:3], at=NOW)
        with django_assert_num_queries(1):
            assert subscriptions.suppressed(addresses) == set(addresses[:3])

    def test_an_unknown_topic_is_an_error_and_changes_nothing(self) -> None:
        contact = make_contact()
        with pytest.raises(subscriptions.Topic.DoesNotExist):
            subscriptions.subscribe(contact.pk, "nope", True, at=NOW)
        assert not Fact.objects.exists()

    def test_suppressing_is_a_change_of_whoever_has_the_address(self) -> None:
        """T2, T8."""
        people = [make_contact(email=email) for email in ("A@x.test", "a@X.test", "b@x.test")]
        subscriptions.suppress(" a@x.TEST ", at=NOW)
        subscriptions.suppress("a@x.test", at=NOW)
        assert sorted(Fact.objects.values_list("contact_id", flat=True)) == sorted(
            [people[0].pk, people[1].pk] * 2
        )
        subscriptions.unsuppress("A@x.test", at=NOW)
        assert subscriptions.suppressed(["a@x.test"]) == set()
