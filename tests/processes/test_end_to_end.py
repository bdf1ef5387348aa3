"""The main job on real processes: people come in over HTTP and walk through journeys."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import people
from tests.processes.conftest import House
from tests.servers import RedisServer, SmtpSink

pytestmark = pytest.mark.processes
Start = Callable[..., House]

EVERYBODY = range(100)
STARTED = range(34)  # make a project while the journey waits for it
FINISHED = range(34, 67)  # reach the goal
SILENT = range(67, 100)  # do nothing
BIG, SMALL, BUYERS = range(8), range(8, 16), range(16, 20)  # of their carts


def contacts_csv(folder: Path) -> Path:
    """1,000 contacts, as a spreadsheet writes them."""
    file = folder / "contacts.csv"
    rows = (f"csv-{n};csv{n}@example.org;Europe/Berlin;{n % 7}" for n in range(1000))
    file.write_text("\ufeffexternal_id;email;timezone;seats\n" + "\n".join(rows), "utf-8")
    return file


def walk(house: House, key: str) -> None:
    """Everybody signs up, and some do something while the journeys wait for it."""
    segment = people.client(house, key)
    people.identify(segment, EVERYBODY)
    people.track(segment, EVERYBODY, "signed_up")
    for numbers, total in ((BIG, 150), (SMALL, 20), (BUYERS, 60)):
        for number in numbers:
            segment.track(
                f"person{number}", "cart_updated", {"cart_id": f"c{number}", "total": total}
            )
    segment.flush()
    house.wait_for(lambda: enrolled(house) == 100, 60, "everybody's welcome")
    people.track(segment, STARTED, "project_created")
    people.track(segment, FINISHED, "onboarding_completed")
    for number in BUYERS:
        segment.track(f"person{number}", "order_placed", {"cart_id": f"c{number}"})
    segment.flush()
    segment.join()


def enrolled(house: House) -> int:
    return int(
        house.query(
            "Message.objects.filter(template__slug='onboarding-welcome', status='sent',"
            " contact__external_id__startswith='person').count()"
        )
    )


def expected() -> Counter[tuple[str, str]]:
    """What the definitions of the demo's journeys say each must have got, by template."""
    mails: Counter[tuple[str, str]] = Counter()
    for number in EVERYBODY:
        mails[people.address(number), "onboarding-welcome"] += 1
    for number in STARTED:
        mails[people.address(number), "onboarding-tips"] += 1
    for number in SILENT:
        team = people.plan(number) == "team"
        mails[people.address(number), "onboarding-call" if team else "onboarding-nudge"] += 1
    for number in (*BIG, *SMALL):
        mails[people.address(number), "cart-reminder"] += 1
    for number in SMALL:
        mails[people.address(number), "cart-again"] += 1
    return mails


def in_the_admin(house: House) -> list[tuple[str, str, str]]:
    """Address, template and id of each message to the test's people that was sent."""
    rows = house.query(
        "__import__('json').dumps([[m.to, m.template.slug, str(m.uuid)] for m in"
        " Message.objects.filter(status='sent', contact__external_id__startswith='person')"
        ".select_related('template')])"
    )
    return [(to, slug, uuid) for to, slug, uuid in json.loads(rows)]


def waits(house: House) -> list[float]:
    """How long those who did nothing waited for their second mail, in seconds."""
    rows = house.query(
        "__import__('json').dumps([(v.left_at - v.entered_at).total_seconds() for v in"
        " Visit.objects.filter(node__key='finish', outcome='timeout',"
        " enrollment__contact__external_id__startswith='person')])"
    )
    return [float(seconds) for seconds in json.loads(rows)]


def test_people_walk_through_the_demo(
    start_house: Start, tmp_path: Path, redis_process: RedisServer
) -> None:
    """SQLite with the bundled Redis and .eml files; PostgreSQL with a Redis and an SMTP server."""
    sink = SmtpSink() if os.environ.get("DATABASE_URL", "").startswith("postgres") else None
    redis_process.client.flushall()
    servers = {"REDIS_URL": redis_process.url, "EMAIL_URL": sink.url} if sink else {}
    house = start_house(DEMO="true", **servers)
    key = (house.var_dir / "demo_api_key.txt").read_text().strip()
    report = house.manage("import_contacts", str(contacts_csv(tmp_path)))
    assert "1000" in report.replace(",", "")
    walk(house, key)
    open_ones = (
        "Enrollment.objects.filter(contact__external_id__startswith='person',"
        # In the last node of both journeys nothing more is sent.
        " ended_at__isnull=True).exclude(node__key='last').count()"
        " + Message.objects.filter(status__in=['queued', 'sending'],"
        " contact__external_id__startswith='person').count()"
    )
    house.wait_for(lambda: house.query(open_ones) == "0", 420, "the last mail of all journeys")

    listed = in_the_admin(house)
    offers = Counter((to, slug) for to, slug, _ in listed if slug in ("cart-ten", "cart-twenty"))
    assert sorted(to for to, _ in offers.elements()) == sorted(map(people.address, BIG))
    assert Counter((to, slug) for to, slug, _ in listed) - offers == expected()
    received = sink.messages if sink else people.read(house.outbox)
    mine = [m for m in received if str(m["To"]).startswith("person")]
    ids = Counter(str(message["Message-ID"]) for message in mine)
    assert len(mine) == len(listed) == sum(ids.values())
    assert set(ids.values()) == {1}
    assert all(
        any(uuid in one or uuid.replace("-", "") in one for one in ids) for *_, uuid in listed
    )
    admin, received_by = people.Admin(house), Counter(str(message["To"]) for message in mine)
    for number in (0, 10, 20, 40, 99):
        assert admin.sent_to(people.address(number)) == received_by[people.address(number)] > 0
    late = [seconds - 30 for seconds in waits(house)]
    assert len(late) == len(SILENT)
    assert min(late) >= 0
    assert max(late) < 10, f"waits ended up to {max(late):.1f} s late"
    assert house.query("Contact.objects.filter(external_id__startswith='csv-').count()") == "1000"
    assert house.query("Fact.objects.filter(failed_at__isnull=False).count()") == "0"
    if sink:
        sink.stop()
