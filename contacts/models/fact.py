from __future__ import annotations

from django.db import models

from contacts.clock import now
from contacts.models.contact import Contact
from contacts.models.event import Event


class Fact(models.Model):
    """What has been received and not yet worked through: the queue of the engine.

    Its id is the order of receipt within its contact. The row is deleted in the transaction that
    works it through. One that cannot be processed keeps its row with ``error`` and ``failed_at``:
    it is put aside, shown in the admin, and stops nobody else.

    ``payload`` by kind:

    - event: ``{}``, the event is in ``event``
    - change: ``{"changes": {field: {"old": …, "new": …}, "attributes": {name: {"old": …,
      "new": …}}}}``, of which each part stands only where it says something; already applied to
      the contact's row; an absent ``old`` or ``new`` means the attribute was or became absent.
      ``{}`` where only subscriptions or suppressions changed, or nothing. ``"joined": [pk]``
      beside it lists static segments that the contact was put into. With ``"quiet": true``
      membership that it changes is noted without an entry: an import that may not start journeys
    - enter: ``{"journey": pk}``, by hand; with ``"again": true`` of one whom the journey turned
      away while it was paused, with the event, if one would have started it, in ``event``
    - recount: ``{"at": ISO}``, the full hour at which membership is counted anew (T5)
    - webhook: ``{"enrollment": pk, "visit": number, "outcome": "ok" | "failed"}``
    """

    class Kind(models.TextChoices):
        EVENT = "event", "Event"
        CHANGE = "change", "Change of the contact"
        ENTER = "enter", "Entry by hand"
        RECOUNT = "recount", "Full hour"
        WEBHOOK = "webhook", "Webhook answered"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="facts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    event = models.ForeignKey(Event, models.CASCADE, null=True, blank=True, related_name="+")
    payload = models.JSONField(default=dict, blank=True)
    received_at = models.DateTimeField(default=now)
    error = models.TextField(blank=True, default="")
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id", "contact"],
                name="fact_open",
                condition=models.Q(failed_at__isnull=True),
            ),
            models.Index(
                fields=["failed_at"],
                name="fact_aside",
                condition=models.Q(failed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"
