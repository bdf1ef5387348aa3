"""What the people of the demo did in the past: who they are, when they came, and what they did."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts.items import Identify, Item, Track
from journeys.demo import PAST, PEOPLE

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
SOURCES = ("search", "search", "friend", "ad")
#: How busy each hour of a day in UTC is.
HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 8, 9, 10, 9, 8, 8, 9, 11, 11, 8, 5, 3)
DAY = timedelta(days=1)
#: Soon enough for the journeys of the demo, where an hour is a minute.
SOON, LATER = timedelta(seconds=10), timedelta(seconds=75)


@dataclass(frozen=True, order=True)
class Deed:
    """Something that was received at a moment; ``number`` keeps the order of equal moments."""

    at: datetime
    number: int
    item: Item


class Past:
    """The deeds of everybody up to ``end``, drawn from ``chance``."""

    def __init__(self, chance: random.Random, end: datetime) -> None:
        self.chance = chance
        self.start, self.end = end - PAST, end
        self.deeds: list[Deed] = []

    def told(self) -> list[Deed]:
        """All deeds in the order in which they were received."""
        for number in range(1, PEOPLE + 1):
            self._live(f"demo-{number}", number)
        return sorted(self.deeds)

    def _add(self, at: datetime, *items: Item) -> None:
        if self.start <= at <= self.end:
            self.deeds += [Deed(at, len(self.deeds) + n, item) for n, item in enumerate(items)]

    def _moment(self, day: datetime) -> datetime:
        """A moment of that day, at an hour at which people are about."""
        hour = self.chance.choices(range(24), HOURS)[0]
        # Many do what they do at the same minute, so they are received in one batch.
        return day.replace(hour=hour, minute=30, second=0, microsecond=0)

    def _live(self, person: str, number: int) -> None:
        # More and more people come, so the signups of a week grow.
        day = self.start + PAST * self.chance.betavariate(1.4, 1.0)
        joined = self._moment(day)
        if not self.start <= joined <= self.end - timedelta(minutes=15):
            joined = self.start + timedelta(hours=self.chance.randint(1, 40))
        self._add(joined, self._identify(person, number), self._signed_up(person))
        self._begin(person, joined)
        stayed = PAST if self.chance.random() < 0.55 else DAY * self.chance.expovariate(0.04)
        for moment in self._days(joined, min(joined + stayed, self.end)):
            self._visit(person, moment)

    def _identify(self, person: str, number: int) -> Identify:
        first, last = self.chance.choice(FIRST), self.chance.choice(LAST)
        country, timezone = self.chance.choice(PLACES)
        traits = {
            "first_name": first,
            "last_name": last,
            "country": country,
            "plan": self.chance.choice(PLANS),
            "seats": self.chance.randint(1, 40),
        }
        email = f"{first}.{last}.{number}@example.com".lower()
        return Identify(traits, external_id=person, email=email, timezone=timezone)

    def _signed_up(self, person: str) -> Track:
        return Track("signed_up", {"source": self.chance.choice(SOURCES)}, external_id=person)

    def _begin(self, person: str, joined: datetime) -> None:
        """What people do after they signed up: begin at once, later or never."""
        began = self.chance.random()
        if began < 0.5:
            self._add(joined + SOON, Track("project_created", external_id=person))
        if began < 0.3 or began > 0.9:
            self._add(joined + 4 * SOON, Track("onboarding_completed", external_id=person))
        if self.chance.random() < 0.4:
            started = self._moment(joined + DAY * self.chance.uniform(1, 6))
            ends = (started + 14 * DAY).date().isoformat()
            self._add(
                started,
                Identify({"trial_ends_at": ends}, external_id=person),
                Track("trial_started", {"days": 14}, external_id=person),
            )

    def _days(self, joined: datetime, left: datetime) -> Iterator[datetime]:
        day = joined
        while (day := day + DAY * self.chance.expovariate(0.2)) < left:
            yield self._moment(day)

    def _visit(self, person: str, at: datetime) -> None:
        """One visit: a session, and now and then a cart, an order, or both."""
        self._add(at, Track("session_started", external_id=person))
        wants = self.chance.random()
        cart = {"cart_id": f"c{self.chance.getrandbits(32):08x}"}
        bought = {**cart, "total": self.chance.randint(15, 240)}
        if wants < 0.25:
            self._add(at, Track("page_viewed", {"path": "/pricing"}, external_id=person))
        elif wants < 0.55:
            self._add(at, Track("cart_updated", bought, external_id=person))
            ordered = self.chance.random()
            if ordered < 0.7:
                then = at + (SOON if ordered < 0.3 else LATER)
                self._add(then, Track("order_placed", bought, external_id=person))
        elif wants < 0.62:
            self._add(at, Track("order_placed", bought, external_id=person))
