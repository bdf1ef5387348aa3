from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models


class Channel(models.Model):
    """The way out, and why nothing goes out at the moment: one row, there once there was trouble.

    A wrong password or a server that does not answer is no message's fault. So no message uses up
    an attempt; all wait until ``closed_until``, longer each time until one is accepted again.
    """

    LONGEST = timedelta(minutes=5)

    reason = models.CharField(max_length=50, blank=True, default="")
    detail = models.TextField(blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    closed_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return "Mail is going out" if self.closed_until is None else "Mail can't go out"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save as the one row."""
        self.pk = 1
        super().save(*args, **kwargs)

    @classmethod
    def load(cls) -> Channel:
        """The one row, or an open channel where there never was trouble."""
        return cls.objects.first() or cls(pk=1)

    def is_closed(self, now: datetime) -> bool:
        """Whether it is too early to try again."""
        return self.closed_until is not None and now < self.closed_until

    def close(self, now: datetime, reason: str, detail: str, wait: timedelta | None = None) -> None:
        """Note that nothing can be sent; the pause doubles each time, from five seconds on."""
        self.failures += 1
        self.failing_since = self.failing_since or now
        pause = timedelta(seconds=5 * 2 ** min(self.failures - 1, 10))
        self.closed_until = now + (wait or min(pause, self.LONGEST))
        self.reason, self.detail = reason[:50], detail
        self.save()

    def reopen(self) -> None:
        """Note that a message was accepted."""
        if self.closed_until is not None:
            Channel().save()
