"""The HTTP API, spoken raw and by Segment's own client (FACTS 5.1, 5.4, F14, F15)."""

from __future__ import annotations

import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.test import Client
from segment.analytics.client import Client as SegmentClient

from contacts.identity import Moved
from contacts.models import ApiKey, Contact, Event, Fact
from tests.contacts.conftest import basic, event

pytestmark = pytest.mark.django_db
CALLS = ["track", "identify", "batch", "import", "page", "screen", "group", "alias"]


# Keys


def test_a_key_is_256_bits_shown_once_and_kept_as_a_hash():
    kept, text = ApiKey.make("shop")
    assert len(base64.urlsafe_b64decode(text + "=")) == 32
    assert text not in str(kept.__dict__.values())
    assert kept.prefix == text[:8]
    assert ApiKey.find(text) == kept
    assert ApiKey.find(text[:-1]) is None


def test_the_key_comes_by_basic_bearer_or_body(client: Client, key: str):
    for headers, extra in (
        ({"Authorization": basic(key)}, {}),
        ({"Authorization": f"Bearer {key}"}, {}),
        ({}, {"writeKey": key}),
    ):
        answer = client.post(
            "/v1/track",
            json.dumps({**event(), **extra}),
            content_type="application/json",
            headers=headers,
        )
        assert answer.status_code == 200, answer.content


@pytest.mark.parametrize(
    "given", ["", "Basic", "Basic !!", "Bearer nope", "Digest x", "Basic Og==", "Bearer \xff"]
)
def test_without_a_valid_key_nothing_is_stored(post: Any, given: str):
    answer = post("track", event(), Authorization=given)
    assert answer.status_code == 401
    assert answer.json()["code"] in ("no_key", "invalid_key")
    assert "WWW-Authenticate" in answer
    assert not Contact.objects.exists()


@pytest.mark.parametrize("given", ["\ud800", "\x00", "", 7, None, ["x"], {"a": 1}, "x" * 30_000])
def test_a_key_in_the_body_that_can_be_none_does_not_open(client: Client, given: Any):
    body = json.dumps({**event(), "writeKey": given})
    answer = client.post("/v1/track", body, content_type="application/json")
    assert answer.status_code == 401, answer.content


def test_a_revoked_key_does_not_open(post: Any):
    ApiKey.objects.update(revoked_at=datetime.now(UTC))
    assert post("track", event()).status_code == 401


def test_the_last_use_is_noted_once_a_minute(post: Any, django_assert_num_queries: Any):
    post("track", event())
    used = ApiKey.objects.get().last_used_at
    assert used is not None
    post("track", event())
    assert ApiKey.objects.get().last_used_at == used
    ApiKey.objects.update(last_used_at=used - timedelta(minutes=2))
    post("track", event())
    assert ApiKey.objects.get().last_used_at > used


# What is stored


def test_track_and_identify(post: Any):
    answer = post(
        "identify",
        {
            "userId": "u1",
            "anonymousId": None,
            "traits": {"email": "a@x.org", "plan": "pro", "timezone": "Europe/Berlin"},
            "context": {"locale": "de-DE"},
        },
    )
    assert answer.json() == {"success": True, "accepted": 1, "duplicate": 0, "rejected": []}
    post("track", event(properties={"n": 1}, messageId="m1", timestamp="2026-01-01T10:00:00+01:00"))
    contact = Contact.objects.get()
    assert (contact.email, contact.timezone, contact.language) == (
        "a@x.org",
        "Europe/Berlin",
        "de-DE",
    )
    assert contact.attributes == {"plan": "pro"}
    stored = Event.objects.get()
    assert (stored.name, stored.properties, stored.message_id) == ("seen", {"n": 1}, "m1")
    assert stored.occurred_at == datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_call_answers_with_and_without_a_slash(post: Any, call: str, slash: str):
    message = {
        "userId": "u1",
        "event": "seen",
        "groupId": "g",
        "previousId": "p",
        "traits": {"name": "Example"},
        "batch": [],
    }
    answer = post(call + slash, message)
    assert answer.status_code == 200, answer.content


def test_pages_and_screens_are_events(post: Any):
    post(
        "page",
        {
            "anonymousId": "d1",
            "name": "Pricing",
            "context": {"page": {"path": "/p"}},
            "properties": {"x": 1},
        },
    )
    post("screen", {"userId": "u1", "name": "Home"})
    assert list(Event.objects.order_by("id").values_list("name", "properties")) == [
        ("page_viewed", {"path": "/p", "x": 1, "name": "Pricing"}),
        ("screen_viewed", {"name": "Home"}),
    ]


def test_a_group_is_an_attribute_and_an_alias_joins(post: Any):
    post("track", {"anonymousId": "d1", "event": "seen"})
    post("alias", {"previousId": "d1", "userId": "u1"})
    post("group", {"userId": "u1", "groupId": "g1", "traits": {"name": "Example"}})
    contact = Contact.objects.get()
    assert contact.attributes == {"group": {"name": "Example", "id": "g1"}}
    assert contact.events.count() == 1


def test_traits_may_stand_in_the_context_as_rudderstack_sends_them(post: Any):
    post("identify", {"userId": "u1", "context": {"traits": {"plan": "pro"}}, "channel": "server"})
    assert Contact.objects.get().attributes == {"plan": "pro"}


def test_created_at_is_the_contacts_own_field(post: Any):
    for plan in ("a", "b"):
        post("identify", {"userId": "u1", "traits": {"created_at": "2020-02-03", "plan": plan}})
    contact = Contact.objects.get()
    assert contact.created_at == datetime(2020, 2, 3, tzinfo=UTC)
    assert contact.attributes == {"plan": "b"}


def test_the_clients_clock_is_set_right_by_sentAt(post: Any):
    before = datetime.now(UTC)
    post(
        "batch",
        {
            "sentAt": "2020-01-01T01:00:00Z",
            "batch": [
                event(event="old", timestamp="2020-01-01T00:00:00Z"),
                event(event="own", originalTimestamp="2020-01-01T00:30:00", sentAt="2020-01-01"),
            ],
        },
    )
    old, own = (Event.objects.get(name=name) for name in ("old", "own"))
    assert abs(old.occurred_at - (before - timedelta(hours=1))) < timedelta(seconds=10)
    assert own.occurred_at == own.received_at


def test_the_context_of_a_batch_holds_for_its_items(post: Any):
    post(
        "batch",
        {
            "context": {"locale": "fr", "timezone": "Europe/Paris"},
            "batch": [
                {"type": "identify", "userId": "u1"},
                {"type": "identify", "userId": "u2", "context": {"locale": "de"}},
            ],
        },
    )
    people = Contact.objects.order_by("external_id").values_list("language", "timezone")
    assert list(people) == [("fr", "Europe/Paris"), ("de", "Europe/Paris")]


def test_a_batch_keeps_its_order_and_says_what_it_did_not_take(post: Any):
    answer = post(
        "batch",
        {
            "batch": [
                event(messageId="m1"),
                {"type": "nope", "userId": "u1"},
                event(messageId="m1"),
                None,
                event(event=None),
                event(timestamp="2026-02-30T00:00:00Z"),
                event(event="message_opened"),
                event(properties=[1]),
                event(context="x"),
                {"type": "track", "event": "seen"},
                event(event="last"),
            ]
        },
    )
    result = answer.json()
    assert (answer.status_code, result["accepted"], result["duplicate"]) == (200, 2, 1)
    assert [(item["index"], item["code"]) for item in result["rejected"]] == [
        (1, "unknown_type"),
        (3, "invalid_item"),
        (4, "no_event"),
        (5, "invalid_timestamp"),
        (6, "reserved_name"),
        (7, "invalid_properties"),
        (8, "invalid_context"),
        (9, "no_id"),
    ]
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == ["seen", "last"]


def test_a_single_call_that_can_not_be_stored_is_answered_with_400(post: Any):
    answer = post("track", {"event": "seen"})
    assert answer.status_code == 400
    assert answer.json() == {
        "success": False,
        "code": "no_id",
        "message": "A user id, an anonymous id or an email address is needed.",
    }


# Our own failures


def test_a_database_that_is_away_is_never_the_clients_fault(post: Any, monkeypatch: Any):
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("contacts.ingest.record", away)
    answer = post("batch", {"batch": [event()]})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    monkeypatch.setattr("contacts.models.ApiKey.find", away)
    assert post("track", event()).status_code == 503


def test_others_in_the_way_all_the_time_are_not_the_clients_fault(post: Any, monkeypatch: Any):
    def moved(*args: Any, **kwargs: Any) -> None:
        raise Moved

    monkeypatch.setattr("contacts.ingest._record", moved)
    answer = post("batch", {"batch": [event()]})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer["Retry-After"] == "5"


def test_a_bug_is_not_the_clients_fault_either(post: Any, client: Client, monkeypatch: Any):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    client.raise_request_exception = False
    monkeypatch.setattr("contacts.ingest.record", broken)
    assert post("track", event()).status_code == 500


# The wire


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.ingest.announce", lambda signal, ids: None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("packed", [False, True])
def test_segments_own_client(live_server: Any, nobody_listens: None, packed: bool):
    key = ApiKey.make("shop")[1]
    failures: list[Any] = []
    analytics = SegmentClient(
        key,
        host=live_server.url,
        gzip=packed,
        on_error=lambda error, items: failures.append(error),
    )
    for n in range(250):
        analytics.identify(f"u{n}", {"email": f"u{n}@x.org", "n": n})
        analytics.track(f"u{n}", "order_placed", {"total": n})
    analytics.alias("d1", "u1")
    analytics.group("u1", "g1", {"name": "Example"})
    analytics.page("u1", "Docs", "Start", {"url": "/"})
    analytics.screen("u1", "App", "Home")
    analytics.shutdown()
    assert failures == []
    assert Contact.objects.count() == 250
    assert Event.objects.filter(name="order_placed").count() == 250
    assert Event.objects.count() == 252
    assert Fact.objects.filter(kind="change").count() == 252
    contact = Contact.objects.get(external_id="u7")
    assert (contact.email, contact.attributes) == ("u7@x.org", {"n": 7})
    placed = contact.events.get()
    assert abs(placed.received_at - placed.occurred_at) < timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_a_chunked_body_without_length_is_answered_with_411(live_server: Any):
    url = urlsplit(live_server.url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as wire:
        wire.sendall(
            b"POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n".replace(
                b"Host: x", f"Host: {url.hostname}".encode()
            )
        )
        assert b" 411 " in wire.recv(200)


@pytest.mark.django_db(transaction=True)
def test_a_declared_gigabyte_is_refused_before_it_comes(live_server: Any):
    url = urlsplit(live_server.url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as wire:
        wire.sendall(
            f"POST /v1/batch HTTP/1.1\r\nHost: {url.hostname}\r\nContent-Length: 1000000000\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert b" 413 " in wire.recv(200)


# The documentation


def test_the_documentation_names_each_call_once(client: Client):
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {f"/v1/{call}" for call in [*CALLS, "enter"]}
    for path in schema["paths"].values():
        assert path["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.get("/docs").status_code == 200


def test_each_example_of_the_documentation_works(client: Client, post: Any):
    schema = client.get("/openapi.json").json()
    for call in CALLS:
        content = schema["paths"][f"/v1/{call}"]["post"]["requestBody"]["content"]
        answer = post(call, content["application/json"]["example"])
        assert answer.status_code == 200, answer.content
        assert answer.json()["rejected"] == []
