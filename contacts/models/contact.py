from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from contacts.clock import now


class Contact(models.Model):
    """A person we may message.

    ``external_id`` is the id the customer's own systems use; a contact known only by an
    anonymous id or an address has none. ``timezone`` is an IANA name or blank (W5).
    """

    external_id = models.CharField(max_length=150, unique=True, null=True, blank=True)
    email = models.CharField(max_length=254, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=16, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = [
            ("export_contact", "Can export contacts"),
            ("erase_contact", "Can erase contacts"),
        ]
        indexes = [
            models.Index(Lower("email"), name="contact_email"),
            models.Index(fields=["-created_at", "-id"], name="contact_newest"),
        ]

    def __str__(self) -> str:
        return self.email or self.external_id or f"Contact {self.pk}"

    @property
    def key(self) -> str:
        """What chance is drawn from (P1): the external id, or the row's own where there is none."""
        return self.external_id or f"#{self.pk}"


class AnonymousId(models.Model):
    """An id a device used before it said who it is; it leads to one contact."""

    value = models.CharField(max_length=150, unique=True)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="anonymous_ids")
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.value
