"""The HTTP API, spoken raw and by Segment's own client (FACTS 5.1, 5.4, F14, F15)."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.test import Client
from segment.analytics.client import Client as SegmentClient

from contacts.api import body as bodies
from contacts.models import ApiKey, Contact, Event, Fact

pytestmark = pytest.mark.django_db
CALLS = ["track", "identify", "batch", "import", "page", "screen", "group", "alias"]


@pytest.fixture
def key() -> str:
    return ApiKey.make("shop")[1]


@pytest.fixture
def post(client: Client, key: str) -> Any:
    """POST a body, as it is or as JSON, with the key."""

    def send(path: str, body: Any, content_type: str = "application/json", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Authorization", basic(key))
        return client.post(f"/v1/{path}", data, content_type=content_type, headers=headers)

    return send


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def event(**more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u1", "event": "seen", **more}


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
    "given", ["", "Basic", "Basic !!", "Bearer nope", "Digest x", "Basic Og=="]
)
def test_without_a_valid_key_nothing_is_stored(post: Any, given: str):
    answer = post("track", event(), Authorization=given)
    assert answer.status_code == 401
    assert answer.json()["code"] in ("no_key", "invalid_key")
    assert "WWW-Authenticate" in answer
    assert not Contact.objects.exists()


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


# What is poison

NESTED = b'{"type":"track","userId":"p","event":"e","properties":%s}'
POISON = {
    "NUL": b'{"type":"track","userId":"p","event":"e","properties":{"x":"\\u0000"}}',
    "NUL key": b'{"type":"track","userId":"p","event":"e","properties":{"\\u0000":1}}',
    "lone surrogate": b'{"type":"track","userId":"p","event":"\\ud800"}',
    "NaN": NESTED % b'{"x":NaN}',
    "Infinity": NESTED % b'{"x":-Infinity}',
    "1e400": NESTED % b'{"x":1e400}',
    "5,000 digits": NESTED % (b'{"x":%s}' % (b"9" * 5000)),
    "900 deep": NESTED % (b'{"x":%s1%s}' % (b"[" * 900, b"]" * 900)),
    "10,000 deep": NESTED % (b'{"x":%s1%s}' % (b"[" * 10_000, b"]" * 10_000)),
    "latin-1": NESTED % b'{"x":"caf\xe9"}',
    "list": b"[1]",
    "null": b"null",
    "true": b"true",
    "too large": NESTED % (b'{"x":"%s"}' % (b"x" * 33_000)),
    "year 1": NESTED[:-1] % b"{}" + b',"timestamp":"0001-01-01T00:00:00+14:00"}',
    "30 February": NESTED[:-1] % b"{}" + b',"timestamp":"2026-02-30"}',
    "long name": b'{"type":"track","userId":"p","event":"%s"}' % (b"n" * 101),
}
GOOD = b'{"type":"track","userId":"u%d","event":"e","properties":{"]":"\\"[{"}}'


@pytest.mark.parametrize("what", POISON)
def test_poison_is_rejected_alone_at_every_position_of_a_batch_of_100(post: Any, what: str):
    """FACTS F14: each alone and at every position, 99 of 100 stored, the same on both databases."""
    for place in (0, 1, 50, 98, 99):
        Contact.objects.all().delete()
        items = [GOOD % n for n in range(99)]
        items.insert(place, POISON[what])
        answer = post("batch", b'{"context":{"a":[]},"batch":[%s]}' % b",".join(items))
        assert answer.status_code == 200, answer.content[:300]
        result = answer.json()
        assert result["accepted"] == 99, result
        assert [item["index"] for item in result["rejected"]] == [place]
        assert Event.objects.count() == 99


@pytest.mark.parametrize("what", POISON)
def test_poison_alone_is_answered_with_400(post: Any, what: str):
    answer = post("track", POISON[what])
    assert answer.status_code == 400, answer.content
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    "body",
    [b" ", b"{", b"[]", b"null", b"true", b'"x"', b"\xff\xfe{\x00}\x00", b'{"batch": {}}', b"{}"],
)
def test_what_is_no_batch_is_answered_with_400(post: Any, body: bytes):
    answer = post("batch", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["success"] is False


def test_a_byte_order_mark_and_doubled_keys_do_no_harm(post: Any):
    body = b'\xef\xbb\xbf{"batch":[{"type":"track","userId":"a","userId":"b","event":"e"}]}'
    assert post("batch", body).json()["accepted"] == 1
    assert Contact.objects.get().external_id == "b"


def test_the_content_type_is_ignored(post: Any):
    answer = post("batch", {"batch": [event()]}, "application/x-www-form-urlencoded")
    assert answer.json()["accepted"] == 1
    answer = post("batch", {"batch": [event()]}, "multipart/form-data; boundary=x")
    assert answer.json()["accepted"] == 1


# Sizes


def of_size(size: int, path: str = "track") -> bytes:
    empty = json.dumps({**event(), "properties": {"x": ""}}).encode()
    return json.dumps({**event(), "properties": {"x": "x" * (size - len(empty))}}).encode()


def test_sizes_of_a_call(post: Any):
    assert post("track", of_size(bodies.MAX_CALL)).status_code == 200
    answer = post("track", of_size(bodies.MAX_CALL + 1))
    assert (answer.status_code, answer.json()["code"]) == (400, "too_large")


def padded(size: int) -> bytes:
    body = json.dumps({"batch": [event()]}).encode()
    return body + b" " * (size - len(body))


def test_sizes_of_a_batch(post: Any):
    assert post("batch", padded(bodies.MAX_BATCH)).status_code == 200
    assert post("batch", padded(bodies.MAX_BATCH + 1)).status_code == 400
    assert post("batch", padded(bodies.MAX_REQUEST)).status_code == 400
    assert post("batch", padded(bodies.MAX_REQUEST + 1)).status_code == 413
    assert post("batch", padded(10_000_000)).status_code == 413


def test_a_batch_holds_2500_items(post: Any):
    small = {"type": "track", "userId": "u", "event": "e"}
    assert post("batch", {"batch": [small] * 2500}).json()["accepted"] == 2500
    assert post("batch", {"batch": [small] * 2501}).json()["code"] == "too_many"


def test_gzip_is_unpacked_with_a_cap(post: Any):
    body = json.dumps({"batch": [event()]}).encode()
    packed = {"Content-Encoding": "gzip"}
    assert post("batch", gzip.compress(body), **packed).json()["accepted"] == 1
    assert post("batch", gzip.compress(body)).json()["accepted"] == 1
    bomb = gzip.compress(b" " * 100_000_000)
    for bad, code in (
        (bomb, "too_large"),
        (gzip.compress(body)[:-9], "invalid_gzip"),
        (b"\x1f\x8bnope", "invalid_gzip"),
        (body, "invalid_gzip"),
    ):
        answer = post("batch", bad, **packed)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


# Our own failures


def test_a_database_that_is_away_is_never_the_clients_fault(post: Any, monkeypatch: Any):
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("contacts.ingest.record", away)
    answer = post("batch", {"batch": [event()]})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    monkeypatch.setattr("contacts.models.ApiKey.find", away)
    assert post("track", event()).status_code == 503


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
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=5) as wire:
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
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=5) as wire:
        wire.sendall(
            f"POST /v1/batch HTTP/1.1\r\nHost: {url.hostname}\r\nContent-Length: 1000000000\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert b" 413 " in wire.recv(200)


# The documentation


def test_the_documentation_names_each_call_once(client: Client):
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {f"/v1/{call}" for call in CALLS}
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
