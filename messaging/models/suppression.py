from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac

from contacts.clock import now
from messaging.models.message import Message


def address_hash(address: str) -> str:
    """The keyed hash under which an address, lower-cased, is suppressed (S2)."""
    return salted_hmac(
        "messaging.suppression",
        address.strip().lower(),
        secret=settings.SUPPRESSION_KEY,
        algorithm="sha256",
    ).hexdigest()


class Suppression(models.Model):
    """An address nothing may be sent to, for whoever has it (T8).

    After an erasure only ``hash`` is left, so that the address stays suppressed without being kept.
    """

    class Reason(models.TextChoices):
        BOUNCE = "bounce", "Hard bounce"
        COMPLAINT = "complaint", "Complaint"
        MANUAL = "manual", "By hand"
        ERASED = "erased", "Erased on request"

    hash = models.CharField(max_length=64, unique=True, editable=False)
    address = models.CharField(max_length=254, blank=True, default="", db_index=True)
    reason = models.CharField(max_length=10, choices=Reason.choices, default=Reason.MANUAL)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.address or "(erased address)"

    def save(self, *args: object, **kwargs: object) -> None:
        if self.address:
            self.address = self.address.strip().lower()
            self.hash = address_hash(self.address)
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class SoftBounce(models.Model):
    """That a mail did not arrive although the address may be fine: a full mailbox, for example.

    Five of them over at least seven days suppress the address; a delivery forgets them.
    """

    message = models.OneToOneField(Message, models.CASCADE, related_name="soft_bounce")
    hash = models.CharField(max_length=64, db_index=True)
    bounced_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Soft bounce of message {self.message_id}"
