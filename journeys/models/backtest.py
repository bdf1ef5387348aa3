from __future__ import annotations

from django.conf import settings
from django.db import models

from contacts.clock import now
from journeys.models.journey import Journey, Version


class Backtest(models.Model):
    """A draft replayed over the stored contacts and events of a period; nobody is mailed by it.

    ``draft`` is the draft as it was when the backtest was asked for, and ``version`` the live
    version that it is compared with, if there is one. ``position`` is the last contact whose
    replay is in ``result``: both are written in one statement, so that whoever goes on after a
    kill neither leaves out nor repeats anybody. ``tries`` counts how often a chunk was begun.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting to begin"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (Status.QUEUED, Status.RUNNING)

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="backtests")
    draft = models.JSONField()
    version = models.ForeignKey(
        Version, models.SET_NULL, null=True, blank=True, related_name="backtests"
    )
    period_from = models.DateTimeField(help_text="Facts before it are history and move nothing.")
    period_until = models.DateTimeField(help_text="The last moment that is replayed.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    position = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0, help_text="People replayed so far.")
    total = models.BigIntegerField(null=True, blank=True, help_text="People to be replayed.")
    result = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, default="")
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField(default=now)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    moved_at = models.DateTimeField(null=True, blank=True, help_text="When it last got further.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-id"]
        indexes = [
            models.Index(
                fields=["made_at"],
                name="backtest_open",
                condition=models.Q(status__in=["queued", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"Backtest {self.pk} of {self.journey_id}"

    @property
    def is_open(self) -> bool:
        """Whether somebody works on it or is to."""
        return self.status in self.OPEN
