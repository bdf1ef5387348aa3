from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from contacts.clock import now

PREFIX_LENGTH = 8
LAST_USED_EVERY = timedelta(minutes=1)


def digest(key: str) -> str:
    """What of a key is kept. The keys are random, so a fast hash is enough."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


class ApiKey(models.Model):
    """A key for the HTTP API: 256 random bits, shown once and kept only as a hash."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "Send events and people (write key)"
        API = "api", "Everything the API offers (secret key)"

    name = models.CharField(max_length=100, help_text="Which system uses it.")
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.INGEST)
    prefix = models.CharField(max_length=PREFIX_LENGTH, editable=False)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def make(cls, name: str, scope: str = Scope.INGEST) -> tuple[ApiKey, str]:
        """A new key, saved, and its text, which can't be had again."""
        text = secrets.token_urlsafe(32)
        key = cls.objects.create(
            name=name, scope=scope, prefix=text[:PREFIX_LENGTH], hash=digest(text)
        )
        return key, text

    @classmethod
    def find(cls, text: str) -> ApiKey | None:
        """The valid key with this text, if there is one."""
        return cls.objects.filter(hash=digest(text), revoked_at=None).first()

    def used(self, at: datetime) -> None:
        """Note that it was used; at most once a minute, so that requests don't queue for it."""
        due = at - LAST_USED_EVERY
        if self.last_used_at is None or self.last_used_at < due:
            ApiKey.objects.filter(
                Q(last_used_at=None) | Q(last_used_at__lt=due), pk=self.pk
            ).update(last_used_at=at)
