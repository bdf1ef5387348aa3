"""How often somebody may call: counted in a real Redis, and not at all without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from segment.analytics.client import Client as SegmentClient

from contacts import limits
from contacts.api import keys
from contacts.models import ApiKey, Event
from tests.contacts.conftest import basic, event
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, 0, 3, tzinfo=UTC)


@pytest.fixture
def at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.api.segment.now", lambda: NOW)


def count(now: datetime = NOW, most: int = 2) -> int:
    return limits.count("x", most=most, seconds=10, now=now)


def test_a_window_holds_so_many_and_the_next_begins_anew(redis_server: RedisServer):
    assert [count() for _ in range(4)] == [0, 0, 7, 7]
    assert limits.count("y", most=2, seconds=10, now=NOW) == 0
    assert count(NOW + timedelta(seconds=6)) == 1
    assert count(NOW + timedelta(seconds=7)) == 0


def test_nothing_of_it_stays_in_redis(redis_server: RedisServer):
    count()
    [key] = redis_server.client.keys("limit:*")
    assert 0 < redis_server.client.ttl(key) <= 20


def test_without_a_limit_nothing_is_counted(redis_server: RedisServer):
    assert [count(most=0) for _ in range(3)] == [0, 0, 0]
    assert redis_server.client.keys("limit:*") == []


def test_without_redis_nobody_is_held_up_and_it_is_asked_once(monkeypatch: pytest.MonkeyPatch):
    asked = []
    client = limits._redis
    monkeypatch.setattr(limits, "_redis", lambda url: asked.append(url) or client(url))
    assert [count(most=1) for _ in range(5)] == [0] * 5
    assert len(asked) == 1


def test_too_many_calls_with_a_key_are_answered_with_429(
    redis_server: RedisServer, post: Any, settings: Any, at_nine: None
):
    settings.API_RATE_LIMIT = 1
    for _ in range(keys.WINDOW):
        assert post("track", event()).status_code == 200
    answer = post("track", event())
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert answer.json()["code"] == "too_many_calls"
    assert answer.json()["message"].startswith("More than 10 calls came with this key in 10 sec")
    assert Event.objects.count() == keys.WINDOW
    other = ApiKey.make("other")[1]
    assert post("batch", {"batch": [event()]}, Authorization=basic(other)).status_code == 200


def test_a_redis_that_goes_away_takes_no_call_with_it(
    redis_server: RedisServer, post: Any, settings: Any, at_nine: None
):
    settings.API_RATE_LIMIT = 1
    redis_server.stop()
    try:
        answers = [post("track", event()).status_code for _ in range(keys.WINDOW + 5)]
    finally:
        redis_server.start()
    assert set(answers) == {200}


@pytest.mark.django_db(transaction=True)
def test_segments_own_client_comes_back_after_429(
    live_server: Any, monkeypatch: pytest.MonkeyPatch
):
    """It waits for the seconds it is told and sends the batch again: nothing is lost."""
    monkeypatch.setattr("contacts.ingest.announce", lambda signal, ids: None)
    waits = [1, 1]
    monkeypatch.setattr(limits, "count", lambda name, **how: waits.pop() if waits else 0)
    failures: list[Any] = []
    analytics = SegmentClient(
        ApiKey.make("shop")[1],
        host=live_server.url,
        gzip=True,
        on_error=lambda error, items: failures.append(error),
    )
    analytics.track("u1", "order_placed", {"total": 1})
    analytics.shutdown()
    assert (failures, waits) == ([], [])
    assert Event.objects.count() == 1
