"""What people do to a running house in these tests, and what they must have been sent for it."""

from __future__ import annotations

import email
import http.cookiejar
import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from segment.analytics.client import Client

from tests.processes.conftest import House

#: A journey whose waits are seconds long.
QUICK = """
journey: quick
name: Quick
entry:
  trigger: {event: started}
goal: {event: bought}
start: hello
nodes:
  hello: {kind: send, template: hello, topic: news, next: rest}
  rest:
    kind: wait
    until_event: {event: answered, timeout: 4s}
    next: {event: thanks, timeout: which}
  thanks: {kind: send, template: thanks, topic: news, next: last}
  which:
    kind: branch
    paths: [{name: team, when: {attribute: plan, op: eq, value: team}}]
    next: {team: call, else: nudge}
  call: {kind: send, template: call, topic: news, next: last}
  nudge: {kind: send, template: nudge, topic: news, next: last}
  last: {kind: wait, for: 2s}
templates:
  hello: {name: Hello, subject: hello, text: "Hello {{ contact.first_name }}"}
  thanks: {name: Thanks, subject: thanks, text: Thank you}
  call: {name: Call, subject: call, text: Shall we talk}
  nudge: {name: Nudge, subject: nudge, text: Still there}
topics: {news: {name: News, default: subscribed}}
"""


def address(number: int) -> str:
    """The address of one of the test's people."""
    return f"person{number}@example.org"


def plan(number: int) -> str:
    """Every fourth is on the team plan."""
    return "team" if number % 4 == 0 else "free"


def client(house: House, key: str) -> Client:
    """Segment's own client, pointed at the house."""
    return Client(key, host=house.url, gzip=True, sync_mode=False, max_retries=5)


def new_key(house: House) -> str:
    """A key for the API."""
    return house.query("ApiKey.make('test')[1]")


def identify(segment: Client, numbers: Iterable[int]) -> None:
    """Say who these people are."""
    for number in numbers:
        traits = {"email": address(number), "first_name": f"P{number}", "plan": plan(number)}
        segment.identify(f"person{number}", traits)
    segment.flush()


def track(segment: Client, numbers: Iterable[int], event: str, **properties: Any) -> None:
    """Say that each of these people did something."""
    for number in numbers:
        segment.track(f"person{number}", event, properties)
    segment.flush()


def load(house: House, tmp_path: Path, definition: str = QUICK) -> None:
    """Publish a journey file."""
    file = tmp_path / "journey.yaml"
    file.write_text(definition)
    house.manage("import_journey", str(file), "--publish")


def read(files: Iterable[Path]) -> list[EmailMessage]:
    """The mails in these files."""
    return [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def sent(messages: Iterable[EmailMessage]) -> Counter[tuple[str, str]]:
    """How often each address got each subject."""
    return Counter((str(message["To"]), str(message["Subject"])) for message in messages)


def ended(house: House, journey: str) -> int:
    """How many enrollments have ended."""
    expression = f"Enrollment.objects.filter(journey__slug={journey!r}, ended_at__isnull=False)"
    return int(house.query(f"{expression}.count()"))


class Admin:
    """Somebody who signed in to the house's admin and reads its pages."""

    def __init__(self, house: House) -> None:
        self.url = house.url
        name, password = (house.var_dir / "admin.txt").read_text().split()
        cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
        self.read("/admin/login/")
        token = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token}
        data = urllib.parse.urlencode({**form, "next": "/admin/"}).encode()
        answer = self.opener.open(self.url + "/admin/login/", data)
        assert answer.url == f"{self.url}/admin/"

    def read(self, path: str) -> str:
        """A page's HTML."""
        with self.opener.open(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def sent_to(self, address: str) -> int:
        """How many messages the admin lists as sent to an address."""
        query = urllib.parse.urlencode({"q": address, "status__exact": "sent"})
        page = self.read(f"/admin/messaging/message/?{query}")
        return len(set(re.findall(r"/admin/messaging/message/(\d+)/change/", page)))
