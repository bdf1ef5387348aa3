"""What became of messages, as conditions: numbers and the lists they lead to use the same."""

from __future__ import annotations

from django.db.models import Q

BECAME = {
    "sent": Q(status="sent"),
    "queued": Q(status__in=["queued", "sending"]),
    "skipped": Q(status="skipped"),
    "failed": Q(status="failed", bounced_at__isnull=True),  # what bounced is counted as such
    "uncertain": Q(status="uncertain"),
    "delivered": Q(delivered_at__isnull=False),
    "opened": Q(opened_at__isnull=False),
    "clicked": Q(clicked_at__isnull=False),
    "bounced": Q(bounced_at__isnull=False),
    "complained": Q(complained_at__isnull=False),
}
