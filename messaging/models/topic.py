from __future__ import annotations

from django.db import models

from contacts.clock import now
from contacts.models import Contact


class Topic(models.Model):
    """A kind of mail that people can choose to get or not."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    subscribed_by_default = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """A contact's own choice about a topic, or about all marketing mail where ``topic`` is empty.

    Without a row the topic's default holds. A row without topic and with ``subscribed`` false is
    the unsubscription from all; the choices by topic are kept beside it.
    """

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="subscriptions")
    topic = models.ForeignKey(
        Topic, models.CASCADE, null=True, blank=True, related_name="subscriptions"
    )
    subscribed = models.BooleanField()
    changed_at = models.DateTimeField(default=now)
    source = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact", "topic"], name="one_choice_per_topic"),
            models.UniqueConstraint(
                fields=["contact"],
                condition=models.Q(topic__isnull=True),
                name="one_choice_for_all",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id}: {self.topic_id or 'all'} {self.subscribed}"
