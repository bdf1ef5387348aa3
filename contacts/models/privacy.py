from __future__ import annotations

from django.conf import settings
from django.db import models

from contacts.clock import now


class PrivacyRecord(models.Model):
    """That a contact was exported or erased: when, by whom, and how much. Never who it was."""

    class Action(models.TextChoices):
        EXPORT = "export", "Exported"
        ERASE = "erase", "Erased"

    action = models.CharField(max_length=10, choices=Action.choices)
    contact_pk = models.BigIntegerField("number of the contact")
    at = models.DateTimeField(default=now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    counts = models.JSONField(default=dict, help_text="How many of what there were.")

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "privacy request"

    def __str__(self) -> str:
        return f"{self.get_action_display()}: contact {self.contact_pk}"
