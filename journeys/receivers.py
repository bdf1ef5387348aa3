"""What contacts announce becomes a job; the facts themselves are rows already."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from contacts.signals import contacts_changed, events_recorded
from journeys import jobs
from journeys.models import Journey


@receiver([events_recorded, contacts_changed])
def work_facts(sender: Any, contact_ids: list[int], **kwargs: Any) -> None:
    """Enroll and move the contacts whose facts have just been committed."""
    jobs.enqueue_work()


def held_back() -> Q:
    """The queued messages that stay queued: those of journeys that are paused (V2)."""
    paused = Journey.objects.filter(status=Journey.Status.PAUSED)
    return Q(journey__in=paused.values("slug"))
