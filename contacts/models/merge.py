from __future__ import annotations

from django.conf import settings
from django.db import models

from contacts.clock import now
from contacts.models.contact import Contact


class Merge(models.Model):
    """That a contact was merged into another, with what it was before, to be read afterwards."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="merges")
    merged_pk = models.BigIntegerField()
    external_id = models.CharField(max_length=150, blank=True, default="")
    email = models.CharField(max_length=254, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(help_text="When the merged contact was made.")
    merged_at = models.DateTimeField(default=now)
    merged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-merged_at", "-id"]
        indexes = [models.Index(fields=["contact", "-merged_at"], name="merge_of_contact")]

    def __str__(self) -> str:
        return f"{self.external_id or self.email or self.merged_pk} into {self.contact_id}"


class FormerId(models.Model):
    """An external id of a contact that was merged away; it leads to the one that was kept."""

    value = models.CharField(max_length=150, unique=True)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="former_ids")

    def __str__(self) -> str:
        return self.value


class Receipt(models.Model):
    """A ``message_id`` that came with something that is no event, so that it acts once (T8)."""

    message_id = models.CharField(max_length=100, unique=True)
    received_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.message_id
