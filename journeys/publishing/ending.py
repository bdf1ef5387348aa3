"""Ending enrollments from outside, in batches of contacts that are locked: archiving a journey, and
taking one person out.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When

from journeys import store
from journeys.models import Enrollment, Journey, Visit, WebhookCall
from journeys.publishing.history import By, note
from messaging import outbox

#: Contacts in one transaction.
BATCH = 500


def archive(journey: Journey, *, by: By = None, at: datetime) -> None:
    """Archive the journey: nobody enters, and open enrollments end, ``exited``, ``archived`` (V2).

    They end in batches; what is left when this process dies is ended by `carrying.carry_on`.
    """
    with transaction.atomic():
        current = Journey.objects.select_for_update().get(pk=journey.pk)
        if current.status == Journey.Status.ARCHIVED:
            return
        current.status, current.paused_at, current.dates_after = Journey.Status.ARCHIVED, None, None
        current.save(update_fields=["status", "paused_at", "dates_after"])
        note(current, by, at, "Archived the journey.")
    journey.refresh_from_db()
    end_archived(at, journey.pk)


def archived() -> QuerySet[Enrollment]:
    """Enrollments that are open although their journey is archived."""
    journeys = Journey.objects.filter(status=Journey.Status.ARCHIVED)
    return Enrollment.objects.filter(
        journey_id__in=list(journeys.values_list("pk", flat=True)),
        status__in=[*Enrollment.OPEN],
    )


def end_archived(now: datetime, journey: int | None = None) -> int:
    """End what is open in archived journeys, or in one of them; how many there were."""
    rows = archived() if journey is None else archived().filter(journey=journey)
    return end_all(rows, "archived", now)


def end_all(rows: QuerySet[Enrollment], reason: str, now: datetime) -> int:
    """End these enrollments, ``exited`` with that reason, batch by batch; how many there were.

    ``rows`` must be such that an enrollment that has ended is no longer among them.
    """
    count = 0
    while contacts := list(
        rows.order_by("contact_id").values_list("contact_id", flat=True).distinct()[:BATCH]
    ):
        with transaction.atomic():
            store.lock(contacts)
            count += end(rows.filter(contact__in=contacts), reason, now)
    return count


def take_out(enrollment: Enrollment, *, by: By = None, at: datetime) -> bool:
    """End one enrollment, ``exited``, ``taken_out``; whether it was still open."""
    with transaction.atomic():
        store.lock([enrollment.contact_id])
        rows = Enrollment.objects.filter(pk=enrollment.pk, status__in=[*Enrollment.OPEN])
        current = rows.select_related("node").first()
        if current is None:
            return False
        end(rows, "taken_out", at)
        # Without the person's name: what an erasure removes must stand nowhere else.
        where = f", which stood at “{current.node.key}”" if current.node else ""
        note(enrollment.journey, by, at, f"Took passage {current.pk} out by hand{where}.")
    return True


def end(rows: QuerySet[Enrollment], reason: str, now: datetime) -> int:
    """End these open enrollments in the caller's transaction, which has locked their contacts."""
    ids = list(rows.values_list("pk", flat=True))
    Visit.objects.filter(enrollment__in=ids, left_at__isnull=True).update(left_at=now)
    Enrollment.objects.filter(pk__in=ids).update(
        status=Enrollment.Status.EXITED,
        reason=reason,
        ended_at=now,
        resume_at=None,
        resume_outcome="",
        held=False,
        exclusive=Case(
            When(exclusive__startswith="once", then=F("exclusive")), default=Value(None)
        ),
    )
    outbox.cancel(ids, "The journey was left.")
    WebhookCall.objects.filter(enrollment__in=ids, status=WebhookCall.Status.QUEUED).update(
        status=WebhookCall.Status.CANCELLED, next_attempt_at=None
    )
    return len(ids)
