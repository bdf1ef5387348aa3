from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class Installation(models.Model):
    """What holds for all journeys: one row, edited in the admin."""

    timezone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="Local times of contacts without a time zone of their own.",
    )
    cap_count = models.PositiveIntegerField(
        "frequency cap: messages",
        null=True,
        blank=True,
        help_text="At most so many marketing messages to one person …",
    )
    cap_within = models.DurationField(
        "frequency cap: within",
        null=True,
        blank=True,
        help_text="… in this time, all journeys together (S5).",
    )
    from_name = models.CharField(max_length=200, blank=True, default="")
    from_email = models.EmailField(blank=True, default="")
    reply_to = models.EmailField(blank=True, default="")
    postal_address = models.TextField(
        blank=True, default="", help_text="Shown in marketing mail; the law asks for it."
    )
    track_opens = models.BooleanField(
        default=True,
        help_text="Put an invisible picture into HTML mail that tells when it is looked at.",
    )
    track_clicks = models.BooleanField(
        default=True,
        help_text="Lead the links of HTML mail through here, to see which are followed.",
    )

    class Meta:
        verbose_name_plural = "installation"

    def __str__(self) -> str:
        return "Installation"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if (self.cap_count is None) != (self.cap_within is None):
            raise ValidationError("A frequency cap needs both a number and a time.")

    @classmethod
    def load(cls) -> Installation:
        """The one row, or its defaults where it was never saved."""
        return cls.objects.first() or cls(pk=1)

    @property
    def cap(self) -> tuple[int, timedelta] | None:
        """The frequency cap as (count, within), if there is one."""
        if self.cap_count is None or self.cap_within is None:
            return None
        return self.cap_count, self.cap_within
