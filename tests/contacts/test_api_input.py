"""What comes in at the API that is odd, poison, packed or too much (FACTS F14, F15)."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.api import body as bodies
from contacts.models import Contact, Event
from tests.contacts.conftest import event

pytestmark = pytest.mark.django_db


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


def test_an_item_is_measured_as_it_would_come_alone(post: Any):
    """By its shortest JSON in UTF-8: neither blanks nor escapes count."""
    pairs = event(properties={f"k{n}": n for n in range(2_500)})
    assert len(json.dumps(pairs)) > bodies.MAX_CALL
    umlauts = event(properties={"x": "ä" * 20_000})
    escaped = event(properties={"x": "ä" * 14_000})
    answer = post("batch", {"batch": [pairs, umlauts, escaped]})
    assert [item["index"] for item in answer.json()["rejected"]] == [1]


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_what_is_packed_otherwise_is_said_so(post: Any, encoding: str):
    answer = post("batch", {"batch": [event()]}, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unknown_encoding")
    assert not Event.objects.exists()


@pytest.mark.parametrize("encoding", ["GZIP", "x-gzip"])
def test_other_words_for_gzip(post: Any, encoding: str):
    body = gzip.compress(json.dumps({"batch": [event()]}).encode())
    assert post("batch", body, **{"Content-Encoding": encoding}).json()["accepted"] == 1


def test_what_follows_the_gzip_is_not_lost_in_silence(post: Any):
    body = gzip.compress(json.dumps({"batch": [event()]}).encode())
    assert post("batch", body + b"\0" * 8).json()["accepted"] == 1
    answer = post("batch", body + body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_gzip")


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "9" * 5000, "0x10", ""])
def test_a_length_that_is_none(client: Any, length: str):
    answer = client.generic("POST", "/v1/track", b"{}", CONTENT_LENGTH=length)
    assert answer.status_code == 411


# Odd items


@pytest.mark.parametrize("kind", [[], {}, 1, True, None, "", "Track", "\0too deep"])
def test_a_type_that_is_none_rejects_its_item_alone(post: Any, kind: Any):
    result = post("batch", {"batch": [event(), {**event(), "type": kind}]}).json()
    assert result["accepted"] == 1
    assert [item["index"] for item in result["rejected"]] == [1]


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_no_depth_at_all_is_our_failure(post: Any, depth: int):
    """Near the interpreter's own limit: what can be parsed may be too deep to be measured."""
    nested = '{"a":' * depth + "1" + "}" * depth
    poison = NESTED % nested.encode()
    answer = post("batch", b'{"batch":[%s,%s]}' % (json.dumps(event()).encode(), poison))
    assert answer.status_code == 200, answer.content
    assert [item["code"] for item in answer.json()["rejected"]] == ["too_deep"]
    assert post("track", poison).status_code == 400


ODD = [None, True, 7, 1.5, "", "x", "\ud800", [], [1], {}, {"a": None}, 10**18]
FIELDS = [
    *("userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "sentAt", "event"),
    *("name", "category", "properties", "traits", "context", "groupId", "previousId"),
    *("integrations", "channel", "version"),
]


@pytest.mark.parametrize("field", FIELDS)
def test_no_value_of_any_field_is_our_failure(post: Any, field: str):
    kinds = ("track", "identify", "page", "screen", "group", "alias")
    usual = {"userId": "u1", "event": "e", "groupId": "g", "previousId": "p"}
    batch = [{"type": kind, **usual, field: value} for kind in kinds for value in ODD]
    inner = [
        {"type": kind, **usual, part: {field: value, name: value}}
        for kind in kinds
        for value in ODD
        for part in ("context", "traits", "properties")
        for name in ("email", "timezone", "locale", "createdAt", "created_at", "page", "a.b")
    ]
    for items in (batch, inner):
        answer = post("batch", {"batch": items})
        assert answer.status_code == 200, answer.content
        result = answer.json()
        assert result["accepted"] + result["duplicate"] + len(result["rejected"]) == len(items)
        assert all(item["message"].endswith(".") for item in result["rejected"])


# Clocks


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "late"),
    [
        ("2031-01-01T00:00:00Z", None, 0),  # from the future: it occurred at its receipt (C5)
        ("2031-01-01T00:00:00Z", "2031-01-01T00:00:05Z", 5),  # a clock that is years ahead
        ("1990-01-01T00:00:00Z", "1990-01-01T01:00:00Z", 3600),  # and one that is behind
        ("2031-01-01T00:00:05Z", "2031-01-01T00:00:00Z", 0),  # sent before it happened
        ("2031-01-01T02:00:00+02:00", "2031-01-01T00:00:10Z", 10),  # in two time zones
        ("2031-01-01T00:00:00Z", "nonsense", 0),
        ("2031-01-01T00:00:00Z", 1893456000, 0),
        (None, "1990-01-01T01:00:00Z", 0),
    ],
)
def test_whatever_the_clients_clock_says(
    post: Any, timestamp: str | None, sent_at: Any, late: int
) -> None:
    item = event(timestamp=timestamp)
    answer = post("batch", {"batch": [item], "sentAt": sent_at})
    assert answer.json()["accepted"] == 1
    stored = Event.objects.get()
    assert stored.received_at - stored.occurred_at == timedelta(seconds=late)
    assert abs(stored.received_at - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("timestamp", "sent_at"),
    [
        ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("1899-12-31T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        (1767225600000, None),
    ],
)
def test_what_no_calendar_holds_is_rejected_alone_or_was_just_now(
    post: Any, timestamp: Any, sent_at: Any
) -> None:
    answer = post("batch", {"batch": [event(timestamp=timestamp), event()], "sentAt": sent_at})
    assert answer.status_code == 200
    assert {item["code"] for item in answer.json()["rejected"]} <= {"invalid_timestamp"}
    assert Event.objects.count() == 2 - len(answer.json()["rejected"])
    assert all(stored.occurred_at <= stored.received_at for stored in Event.objects.all())
