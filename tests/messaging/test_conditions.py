"""``subscribed`` and ``message``, the words that messaging adds to the condition language (§3)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from contacts import conditions
from contacts.conditions import Scope
from contacts.models import Contact
from contacts.problems import Invalid
from messaging.models import Subscription, Topic

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class Told:
    """A view that knows what it was told about topics and messages."""

    now = NOW
    trigger = None
    entry_mark = None

    def __init__(self, *known: Any) -> None:
        self.known = known

    def takes(self, topic: str) -> bool:
        return topic in self.known

    def message_did(self, node: str, did: str) -> bool:
        return (node, did) in self.known


def takers(topic: str) -> set[str | None]:
    condition = conditions.parse({"subscribed": topic})
    found = Contact.objects.filter(condition.expression(NOW))
    others = Contact.objects.filter(conditions.negate(condition.expression(NOW)))
    assert found.count() + others.count() == Contact.objects.count()
    return set(found.values_list("external_id", flat=True))


@pytest.mark.parametrize("default", [True, False])
def test_own_choice_wins_over_the_default_and_from_all_over_both(default: bool) -> None:
    topic = Topic.objects.create(slug="product", name="Product", subscribed_by_default=default)
    other = Topic.objects.create(slug="other", name="Other", subscribed_by_default=not default)
    expected = set()
    for number, (own, every) in enumerate(product((None, True, False), repeat=2)):
        contact = Contact.objects.create(external_id=f"u{number}")
        Subscription.objects.create(contact=contact, topic=other, subscribed=not default)
        if own is not None:
            Subscription.objects.create(contact=contact, topic=topic, subscribed=own)
        if every is not None:
            Subscription.objects.create(contact=contact, subscribed=every)
        if every is not False and (default if own is None else own):
            expected.add(contact.external_id)
    assert takers("product") == expected
    assert takers("gone") == set()


def test_subscribed_is_asked_of_the_view() -> None:
    condition = conditions.parse({"subscribed": "product"})
    assert condition.holds(Told("product"))
    assert not condition.holds(Told("other"))
    assert condition.looks_at().topics == {"product"}
    assert condition.words() == "subscribed to “product”"
    assert not condition.time_dependent


def test_message_is_asked_of_the_view() -> None:
    condition = conditions.parse({"message": "nudge", "did": "opened"}, Scope(enrollment=True))
    assert condition.holds(Told(("nudge", "opened")))
    assert not condition.holds(Told(("nudge", "clicked"), ("hello", "opened")))
    assert condition.looks_at().nodes == {"nudge"}
    assert condition.words() == "the message “nudge” was opened"
    with pytest.raises(TypeError, match="needs an enrollment"):
        condition.expression(NOW)


@pytest.mark.parametrize("did", ["sent", "delivered", "opened", "clicked", "bounced"])
def test_what_a_message_can_have_done(did: str) -> None:
    assert conditions.parse({"message": "n", "did": did}, Scope(enrollment=True))


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"message": "n"}, "did"),
        ({"message": "n", "did": "failed"}, "did"),
        ({"message": "n", "did": ["sent"]}, "did"),
        ({"message": "", "did": "sent"}, "message"),
        ({"message": "gone", "did": "sent"}, "message"),
        ({"message": "n", "did": "sent", "op": "eq"}, "op"),
        ({"subscribed": "all"}, "subscribed"),
        ({"subscribed": ["product"]}, "subscribed"),
        ({"subscribed": "gone"}, "subscribed"),
        ({"subscribed": "product", "message": "n"}, ""),
    ],
)
def test_what_is_not_allowed_is_refused_at_its_place(data: Any, place: str) -> None:
    scope = Scope(enrollment=True, nodes={"n"}, topics={"product"})
    with pytest.raises(Invalid) as caught:
        conditions.parse(data, scope)
    assert [problem.place for problem in caught.value.problems] == [place]


def test_message_is_allowed_only_where_there_is_an_enrollment() -> None:
    with pytest.raises(Invalid, match="There is no enrollment here"):
        conditions.parse({"not": {"message": "n", "did": "sent"}}, Scope(trigger=True))
