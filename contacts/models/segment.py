from __future__ import annotations

from django.db import models

from contacts.clock import now
from contacts.models.contact import Contact


class Segment(models.Model):
    """A set of contacts: by a condition (dynamic), or listed by hand or import (static)."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    condition = models.JSONField(
        null=True, blank=True, help_text="Empty for a static segment, whose members are listed."
    )
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def static(cls) -> models.QuerySet[Segment]:
        """Those whose members are listed. (``condition=None`` would ask for JSON's null.)"""
        return cls._default_manager.filter(condition__isnull=True)

    @property
    def is_static(self) -> bool:
        return self.condition is None


class Membership(models.Model):
    """That a contact was in a segment from ``entered_at`` until ``left_at`` (open: is in it).

    For a static segment this is the truth; for a dynamic one the record that each fact and each
    full hour is compared with (E5, T5). Conditions never read it for a dynamic segment.
    """

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="memberships")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="memberships")
    entered_at = models.DateTimeField(default=now)
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "contact"],
                condition=models.Q(left_at__isnull=True),
                name="one_open_membership",
            ),
        ]
        indexes = [
            models.Index(fields=["contact", "segment"], name="membership_of_contact"),
            models.Index(fields=["segment", "left_at", "entered_at"], name="membership_over_time"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.segment_id}"
