"""What `make run` loads into an empty installation: two journeys, people, and what they did."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from contacts.items import Identify, Track

FOLDER = Path(__file__).parent
JOURNEYS = (FOLDER / "onboarding.yaml", FOLDER / "abandoned-cart.yaml")
PEOPLE = 500

FIRST = (
    "Ada", "Ben", "Clara", "David", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas",
    "Kaya", "Lena", "Milan", "Nora", "Oskar", "Paula", "Rosa", "Samir", "Tilda", "Yusuf",
)  # fmt: skip
LAST = (
    "Abel", "Brandt", "Costa", "Dubois", "Egger", "Fischer", "Garcia", "Haas", "Ito", "Jensen",
    "Klein", "Lang", "Moreau", "Novak", "Okafor", "Peters", "Rossi", "Silva", "Toth", "Weber",
)  # fmt: skip
PLACES = (
    ("de", "Europe/Berlin"),
    ("fr", "Europe/Paris"),
    ("us", "America/New_York"),
    ("br", "America/Sao_Paulo"),
    ("jp", "Asia/Tokyo"),
    ("nz", "Pacific/Auckland"),
)
PLANS = ("free", "free", "free", "team", "pro")
HISTORY = ("session_started", "session_started", "page_viewed", "order_placed")


def people(chance: random.Random) -> Iterator[Identify]:
    """The demo's contacts, all at example.com, where no mail can reach anybody."""
    for number in range(1, PEOPLE + 1):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        country, timezone = chance.choice(PLACES)
        yield Identify(
            {
                "first_name": first,
                "last_name": last,
                "country": country,
                "plan": chance.choice(PLANS),
                "seats": chance.randint(1, 40),
            },
            external_id=f"demo-{number}",
            email=f"{first}.{last}.{number}@example.com".lower(),
            timezone=timezone,
        )


def history(chance: random.Random, now: datetime) -> Iterator[Track]:
    """What they did in the last month, too long ago to start or end anything (T3)."""
    for number in range(1, PEOPLE + 1):
        for _ in range(chance.randint(0, 8)):
            ago = timedelta(days=chance.uniform(4, 30))
            name = chance.choice(HISTORY)
            properties = {"total": chance.randint(10, 250)} if name == "order_placed" else {}
            yield Track(name, properties, now - ago, external_id=f"demo-{number}")
