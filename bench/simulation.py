"""A simulation of 10,000 contacts and 100,000 events of a ten-node journey, within two minutes.

    python bench/simulation.py [--quick]

The ratio is the time allowed over the time it took.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import arguments, house, peak_memory, result, table, timed

ALLOWED = 120.0
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 90
JOURNEY = """
journey: bench
name: Bench
entry:
  trigger: {event: trial_started}
  filter: {attribute: country, op: in, value: [de, fr, nl]}
  reentry: {after: 7d}
goal: {event: subscribed}
exit_when: {segment: churned}
window: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}
start: welcome
nodes:
  welcome: {kind: send, template: mail, topic: product, next: look}
  look:
    kind: wait
    until_event: {event: project_created, timeout: 3d}
    next: {event: active, timeout: nudge}
  nudge: {kind: send, template: mail, topic: product, next: active}
  active: {kind: wait, for: 2d, next: which}
  which:
    kind: branch
    paths:
      - {name: busy, when: {event: project_created, count: {op: gte, value: 2}, within: 14d}}
      - {name: big, when: {attribute: seats, op: gte, value: 10}}
    next: {busy: mark, big: mark, else: offer}
  mark: {kind: update, set: {lead: true}, next: offer}
  offer: {kind: split, variants: {plain: 70, discount: 30}, next: {plain: plain, discount: cut}}
  plain: {kind: send, template: mail, topic: product, next: done}
  cut: {kind: send, template: mail, topic: product, next: done}
  done: {kind: exit, reason: offered}
templates: {mail: {name: Mail, subject: Hello, text: Hello}}
topics: {product: {name: Product, default: subscribed}}
segments: {churned: {name: Churned, when: {attribute: churned, op: eq, value: true}}}
installation: {timezone: Europe/Berlin, frequency_cap: {count: 3, within: 7d}}
"""
EVENTS = ("trial_started", "project_created", "project_created", "session_started", "subscribed")


def write(folder: Path, contacts: int, events: int) -> None:
    """The files of a simulation, the same each time."""
    chance = random.Random(1)
    (folder / "journey.yaml").write_text(JOURNEY)
    with (folder / "contacts.csv").open("w") as file:
        file.write("external_id,email,timezone,created_at,country,attributes\n")
        for number in range(contacts):
            zone = chance.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo", ""))
            country = chance.choice(("de", "fr", "nl", "us"))
            seats = f'"{{""seats"": {chance.randint(1, 40)}}}"'
            file.write(f"u{number},u{number}@example.org,{zone},2025-12-01,{country},{seats}\n")
    moments = sorted(chance.uniform(0, DAYS * 86400) for _ in range(events))
    with (folder / "events.jsonl").open("w") as file:
        for moment in moments:
            at = (START + timedelta(seconds=int(moment))).isoformat()
            line = {
                "contact": f"u{chance.randrange(contacts)}",
                "at": at.replace("+00:00", "Z"),
                "event": chance.choice(EVENTS),
            }
            file.write(json.dumps(line) + "\n")


def main() -> None:
    options = arguments(__doc__ or "")
    contacts, events = (2_000, 20_000) if options.quick else (10_000, 100_000)
    allowed = ALLOWED * events / 100_000
    with house("sqlite"), tempfile.TemporaryDirectory() as name:
        from django.core.management import call_command

        folder = Path(name)
        write(folder, contacts, events)
        with timed() as seconds:
            call_command(
                "simulate",
                str(folder / "journey.yaml"),
                contacts=folder / "contacts.csv",
                events=folder / "events.jsonl",
                until=(START + timedelta(days=DAYS)).isoformat(),
                out=folder / "result.jsonl",
            )
        lines = [json.loads(line) for line in (folder / "result.jsonl").open()]
    visits = sum(len(line["visits"]) for line in lines)
    mails = sum(len(line["messages"]) for line in lines)
    table(
        ("contacts", "events", "enrollments", "visits", "messages", "seconds", "peak MB"),
        [(contacts, events, len(lines), visits, mails, seconds[0], peak_memory())],
    )
    result(
        "simulation",
        allowed / seconds[0],
        1,
        seconds=round(seconds[0], 1),
        allowed_seconds=allowed,
        contacts=contacts,
        events=events,
        visits=visits,
    )


if __name__ == "__main__":
    main()
