from __future__ import annotations

from django.db import models


class AttributeName(models.Model):
    """A name under which contacts have attributes, and the types of value seen in it."""

    name = models.CharField(max_length=150, unique=True)
    types = models.JSONField(default=list, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        verbose_name = "attribute"

    def __str__(self) -> str:
        return self.name


class EventName(models.Model):
    """A name that events have had; ``properties`` leads from a property's name to its types."""

    name = models.CharField(max_length=100, unique=True)
    properties = models.JSONField(default=dict, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        verbose_name = "event name"

    def __str__(self) -> str:
        return self.name
