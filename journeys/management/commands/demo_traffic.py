from __future__ import annotations

import base64
import json
import random
import signal
import threading
import urllib.request
import uuid
from argparse import ArgumentParser
from collections import deque
from datetime import datetime
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError

from contacts.clock import now
from journeys.demo import PEOPLE
from journeys.demo.inboxes import Inboxes
from journeys.demo.past import FIRST, LAST, PLANS, SOURCES
from journeys.demo.replay import mails_are_files
from journeys.management.commands.load_demo import KEY_FILE
from messaging.models import Message

Event = dict[str, Any]
#: How the ids of the demo's people begin.
DEMO_IDS = "demo-"
#: After so many posts the traffic slows down, so that a house left running does not fill up.
LIVELY, SLOWER = 450, 15


class Visitors:
    """People of the demo who sign up, fill carts, and mostly come back to them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.carts: deque[tuple[str, str, int]] = deque(maxlen=60)
        self.newcomers: deque[str] = deque(maxlen=60)

    def act(self) -> list[Event]:
        """What a few of them do now."""
        deed = self.chance.choice((self.sign_up, self.fill_cart, self.go_on, self.come_back))
        return deed()

    def _someone(self) -> str:
        return f"{DEMO_IDS}{self.chance.randint(1, PEOPLE)}"

    def sign_up(self) -> list[Event]:
        """Somebody new: who was on the journey once is not asked in again."""
        person = f"{DEMO_IDS}{uuid.uuid4().hex[:8]}"
        first, last = self.chance.choice(FIRST), self.chance.choice(LAST)
        traits = {
            "email": f"{first}.{last}.{person[5:]}@example.com".lower(),
            "first_name": first,
            "last_name": last,
            "plan": self.chance.choice(PLANS),
        }
        self.newcomers.append(person)
        return [
            {"type": "identify", "userId": person, "traits": traits, "messageId": _id()},
            _event(person, "signed_up", source=self.chance.choice(SOURCES)),
        ]

    def fill_cart(self) -> list[Event]:
        person, cart = self._someone(), f"c{uuid.uuid4().hex[:8]}"
        total = self.chance.randint(15, 240)
        self.carts.append((person, cart, total))
        return [_event(person, "cart_updated", cart_id=cart, total=total)]

    def go_on(self) -> list[Event]:
        if not self.newcomers:
            return self.sign_up()
        person = self.newcomers.popleft()
        name = self.chance.choice(("project_created", "onboarding_completed", "page_viewed"))
        return [_event(person, name)]

    def come_back(self) -> list[Event]:
        if not self.carts:
            return self.fill_cart()
        person, cart, total = self.carts.popleft()
        name = self.chance.choice(("order_placed", "checkout_started", "page_viewed"))
        return [_event(person, name, cart_id=cart, total=total)]


class Readers:
    """What becomes of the demo's mails that go into the outbox folder; of nobody else's.

    Hours are minutes here, too.
    """

    def __init__(self, chance: random.Random, since: datetime) -> None:
        self.inboxes = Inboxes(chance, pace=60)
        self.since = since

    def read(self, at: datetime) -> None:
        """Look what was sent since the last time, and tell what has become of all by ``at``."""
        if not mails_are_files():
            return  # a provider tells it, or nobody knows
        sent = Message.objects.filter(
            status=Message.Status.SENT,
            sent_at__gt=self.since,
            sent_at__lte=at,
            contact__external_id__startswith=DEMO_IDS,
        )
        for message in sent.only("sent_at").order_by("sent_at"):
            self.inboxes.foresee(message)
            assert message.sent_at is not None
            self.since = message.sent_at
        self.inboxes.tell(at)


def _event(person: str, name: str, **properties: Any) -> Event:
    return {
        "type": "track",
        "userId": person,
        "event": name,
        "properties": properties,
        "messageId": _id(),
    }


def _id() -> str:
    return str(uuid.uuid4())


class Command(BaseCommand):
    """A little traffic over HTTP, so that the demo's pages move."""

    help = "Post what the demo's people do, over HTTP, until it is stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=2.0, help="seconds between two posts")
        parser.add_argument("--count", type=int, help="end after so many posts")

    def handle(self, *args: Any, **options: Any) -> None:
        file = settings.VAR_DIR / KEY_FILE
        if not file.exists():
            self.stdout.write("The demo was not loaded: there is nobody to act.")
            return
        key, stop = file.read_text().strip(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        chance = random.Random()  # noqa: S311  a demo, no secret
        visitors, readers, posts = Visitors(chance), Readers(chance, now()), 0
        while not stop.is_set() and posts != options["count"]:
            self._post(key, visitors.act())
            self._read(readers)
            posts += 1
            stop.wait(options["every"] * (1 if posts < LIVELY else SLOWER))

    def _read(self, readers: Readers) -> None:
        try:
            readers.read(now())
        except (OperationalError, InterfaceError) as error:
            self.stderr.write(f"What became of mails is told later: {error}")

    def _post(self, key: str, events: list[Event]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{settings.PORT}/v1/batch",
            data=json.dumps({"batch": events}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
            },
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        except (URLError, OSError) as error:
            self.stderr.write(f"Nobody took the event: {error}.")
