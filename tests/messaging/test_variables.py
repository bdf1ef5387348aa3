"""How Liquid writes the names that people's attributes really have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contacts.models import AttributeName, Contact, EventName
from messaging import rendering, variables
from messaging.models import Template

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAMES = st.text(
    alphabet=st.sampled_from("aZ09 _-'\"\\/[]{}%|<>&#*`éß名:,;.!?"), min_size=1, max_size=8
).filter(lambda name: "." not in name)


def rendered(template: Template, attributes: dict[str, str]) -> str:
    contact = Contact(email="a@example.com", attributes=attributes, created_at=NOW)
    mail = rendering.render(template, rendering.context(contact, now=NOW))
    return f"{mail.subject} {mail.text}"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("contact.city", "contact.city"),
        ("contact.address.city", "contact.address.city"),
        ("contact.First name", 'contact["First name"]'),
        ("contact.Address.Post code", 'contact.Address["Post code"]'),
        ('contact.the "big" one', "contact['the \"big\" one']"),
        ("contact.if", 'contact["if"]'),
        ("contact.2nd", 'contact["2nd"]'),
        ("event.Größe", 'event["Größe"]'),
        ("contact.a\"'b", ""),
        ("contact.a}}b", ""),
        ("unsubscribe_url", "unsubscribe_url"),
    ],
)
def test_a_name_as_liquid_writes_it(name: str, written: str) -> None:
    assert variables.path(name) == written


@given(name=NAMES)
@example(name="First name")
@example(name="a>b")
@example(name="**x**")
@example(name="it's")
def test_what_is_inserted_comes_out_in_each_format(name: str) -> None:
    path = variables.path(f"contact.{name}")
    if not path:
        return
    inserted = f"{{{{ {path} }}}}"
    mjml = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"
    for source in (
        {"text": inserted},
        {"markdown": f"Dear {inserted}, hello"},
        {"html": f"<p>{inserted}</p>"},
        {"mjml": mjml.format(inserted) + "</mj-body></mjml>"},
    ):
        mail = rendered(Template(subject=f"For {inserted}", **source), {name: "Walrus"})
        assert mail.count("Walrus") == 2, (source, mail)


@pytest.mark.django_db
def test_what_nobody_has_is_said_with_its_default() -> None:
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    AttributeName.objects.create(name="First name", **seen)
    EventName.objects.create(name="ordered", properties={"total": ["number"]}, **seen)
    fields = {
        "subject": '{{ contact["First name"] }} {{ event.total }} {{ contact["Last name"] }}',
        "text": "{{ event.colour }} {{ contact.city | default: 'here' }} {{ contact.email }}",
    }
    first, second = variables.unknown(fields)
    assert (first.place, first.level) == ("subject", "warning")
    assert first.message == "Nobody has “Last name” so far, so it stays empty."
    assert first.hint == """Give it a default: {{ contact["Last name"] | default: '…' }}."""
    assert (second.place, "No event has had “colour”" in second.message) == ("text", True)


@pytest.mark.django_db
def test_a_template_that_cannot_be_parsed_reads_nothing() -> None:
    assert variables.unknown({"subject": "{{ contact.x", "text": "{% if %}{{ contact.x }}"}) == []
