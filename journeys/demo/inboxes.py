"""What becomes of the demo's mails, which nobody gets: a provider that tells of them is played."""

from __future__ import annotations

import heapq
import random
from datetime import datetime, timedelta
from itertools import count

from messaging import tracking
from messaging.models import Message
from messaging.tracking import News, What


class Inboxes:
    """Foresees what will become of a mail, and tells it when its time has come.

    ``pace`` is how many times faster than in life mails are opened.
    """

    def __init__(self, chance: random.Random, *, pace: float = 1) -> None:
        self.chance, self.pace = chance, pace
        self.news: list[tuple[datetime, int, News]] = []
        self.numbers = count()

    def foresee(self, message: Message) -> None:
        """What will become of a mail: most arrive, half of those are opened, some clicked."""
        assert message.sent_at is not None
        at, luck = message.sent_at + timedelta(seconds=3), self.chance.random()
        if luck < 0.012:
            self._expect(message, What.BOUNCED, at, detail="550 5.1.1 No such user")
            return
        self._expect(message, What.DELIVERED, at)
        opened = at + timedelta(minutes=self.chance.lognormvariate(4, 1.5) / self.pace)
        if luck < 0.47:
            self._expect(message, What.OPENED, opened)
        if luck < 0.12:
            self._expect(message, What.CLICKED, opened + timedelta(seconds=20))
        if luck > 0.995:
            self._expect(message, What.UNSUBSCRIBED, opened)
        elif luck > 0.994:
            self._expect(message, What.COMPLAINED, opened)

    def _expect(self, message: Message, what: What, at: datetime, *, detail: str = "") -> None:
        news = News(message.pk, what, at, suppress=what is What.BOUNCED, detail=detail)
        heapq.heappush(self.news, (at, next(self.numbers), news))

    def tell(self, now: datetime) -> None:
        """Tell what has become of mails by ``now``; where that fails, it is told the next time."""
        due = []
        while self.news and self.news[0][0] <= now:
            due.append(heapq.heappop(self.news))
        try:
            if due:
                tracking.note([news for _, _, news in due], received_at=now)
        except Exception:
            for entry in due:
                heapq.heappush(self.news, entry)
            raise
