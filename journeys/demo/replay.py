"""Play the demo's past through the door, the engine and the outbox, with a clock of its own.

The very functions run that run live. Only the last step differs: a mail of the past is written into
the outbox folder with its own date where mails are files, and else nothing is sent at all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import groupby
from pathlib import Path

from django.conf import settings

from contacts import ingest, nudges, segments
from journeys import work
from journeys.demo.inboxes import Inboxes
from journeys.demo.past import Deed
from journeys.world import Policy
from messaging import backends, delivery, envelope, outcomes
from messaging.delivery import Parcel
from messaging.models import Installation, Message
from messaging.rendering import Rendered

#: Mails that are handed over together.
MAILS = 500
_HANDED_OVER = timedelta(seconds=2)


class Punctual(Policy):
    """In the past every wait ended when it was due, and every mail left when it was queued."""

    hands_over = True

    def timer_time(self, due: datetime, until: datetime) -> datetime:
        """The time of a timer's fact: when it was due."""
        return due


class Replay:
    """The past up to ``end``, day by day."""

    def __init__(self, chance: random.Random, end: datetime) -> None:
        self.end = end
        self.installation = Installation.load()
        self.connection = backends.connect()
        self.inboxes = Inboxes(chance)

    def play(self, deeds: Sequence[Deed]) -> None:
        """Take in what people did, in the order in which they did it."""
        with nudges.held():
            for _, received in groupby(deeds, key=lambda deed: deed.at.date()):
                last = self.end
                for at, batch in groupby(received, key=lambda deed: deed.at):
                    ingest.record([deed.item for deed in batch], received_at=at, source="demo")
                    last = at
                self._step(min(last + timedelta(minutes=10), self.end))
            self._step(self.end)

    def _step(self, now: datetime) -> None:
        segments.recount_hour(now.replace(minute=0, second=0, microsecond=0))
        work.work(now, policy=Punctual())
        while parcels := delivery.claim(now, MAILS)[1]:
            self._hand_over(parcels, now)
        self.inboxes.tell(now)

    def _hand_over(self, parcels: Sequence[Parcel], now: datetime) -> None:
        delivery.prepare(parcels, self.installation, now)
        for parcel in parcels:
            if parcel.outcome is None:
                parcel.begun, parcel.outcome = True, outcomes.ACCEPTED
        delivery.record(parcels, now)
        sent = [p.message for p in parcels if p.message.status == Message.Status.SENT]
        for message in sent:
            message.sent_at = min(message.queued_at + _HANDED_OVER, self.end)
            self.inboxes.foresee(message)
            self._write(message)
        if not mails_are_files():
            for message in sent:
                message.provider = "demo"
        Message.objects.bulk_update(sent, ["sent_at", "provider"])

    def _write(self, message: Message) -> None:
        """Write a mail of the past as the file it would have been."""
        if not mails_are_files():
            return
        rendered = Rendered(message.subject, message.text, message.html)
        mail = envelope.mail(message, rendered, self.installation, self.connection)
        assert message.sent_at is not None
        mail.extra_headers["Date"] = format_datetime(message.sent_at)
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{message.sent_at:%Y%m%dT%H%M%S.%fZ}-{message.uuid}.eml"
        (folder / name).write_bytes(mail.message().as_bytes())


def mails_are_files() -> bool:
    """Whether mails go into the outbox folder, where no provider tells what became of them."""
    return backends.name() == "eml"
