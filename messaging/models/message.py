from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower

from contacts.models import Contact
from messaging.models.template import Template
from messaging.models.topic import Topic


class Message(models.Model):
    """One mail to one contact, and what became of it. A queued row is a promise, not yet an effect.

    ``enrollment`` and ``visit`` are the number of the enrollment and of its visit that queued it;
    the unique constraint over both is why a visit can never queue two (S6).
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENDING = "sending", "Being handed over"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"
        UNCERTAIN = "uncertain", "Uncertain"
        CANCELLED = "cancelled", "Cancelled"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="messages")
    template = models.ForeignKey(Template, models.PROTECT, related_name="messages")
    topic = models.ForeignKey(
        Topic, models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    transactional = models.BooleanField(default=False)
    journey = models.CharField(max_length=100, blank=True, default="")
    node = models.CharField(max_length=100, blank=True, default="")
    enrollment = models.BigIntegerField(null=True, blank=True)
    visit = models.PositiveIntegerField(null=True, blank=True)
    context = models.JSONField(
        default=dict, blank=True, help_text="What the template sees beside the contact."
    )

    to = models.CharField(max_length=254, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=200, blank=True, default="")
    error = models.TextField(
        blank=True, default="", help_text="What the other side answered when it did not go well."
    )
    queued_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    doubtful_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="The first attempt of which nobody knows whether it arrived.",
    )

    subject = models.TextField(blank=True, default="")
    text = models.TextField(blank=True, default="")
    html = models.TextField(blank=True, default="")
    provider = models.CharField(max_length=50, blank=True, default="")
    provider_id = models.CharField(max_length=255, blank=True, default="", db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it failed, was skipped or cancelled, or got uncertain.",
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    machine_opened_at = models.DateTimeField(
        null=True, blank=True, help_text="Opened by a program, such as a mail proxy: not counted."
    )
    clicked_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("settle_message", "Can settle uncertain messages and send again")]
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "visit"], name="one_message_per_visit"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="message_due",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["lease_until"], name="message_leased", condition=models.Q(status="sending")
            ),
            models.Index(fields=["contact", "-queued_at"], name="message_of_contact"),
            models.Index(fields=["journey", "node", "status"], name="message_of_node"),
            models.Index(fields=["-queued_at", "-id"], name="message_newest"),
            models.Index(Lower("to"), name="message_address"),
        ]

    def __str__(self) -> str:
        return f"{self.template_id} to {self.to or 'nobody'}"
