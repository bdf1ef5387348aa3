from __future__ import annotations

from django.db import models


class Hour(models.Model):
    """A full hour (UTC) at which memberships that look at the time were counted anew (T5).

    Its uniqueness is why two clocks count an hour once.
    """

    at = models.DateTimeField(unique=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.at.isoformat()
