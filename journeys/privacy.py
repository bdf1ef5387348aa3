"""What this room keeps of a contact, for `contacts.privacy`: passages, refusals, requests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import F

from contacts.models import Contact
from contacts.privacy import Subject
from journeys.models import DateEntry, Enrollment, Refusal, Visit, WebhookCall


class Journeys:
    """The room of journeys. All that it keeps goes with the contact's row."""

    def addresses(self, contact: Contact) -> Iterable[str]:
        """None that other rooms do not keep."""
        return ()

    def export(self, subject: Subject) -> dict[str, Any]:
        """Passages with their visits and requests, refusals, and dates that are to come."""
        contact = subject.contact
        refusals = Refusal.objects.filter(contact=contact).order_by("pk")
        dates = DateEntry.objects.filter(contact=contact).order_by("pk")
        slug = F("journey__slug")
        return {
            "enrollments": [_passage(row) for row in _enrollments(contact)],
            "refusals": list(refusals.values("at", "reason", "event_id", slug=slug)),
            "dates": list(dates.values("due_at", "asked_at", "local_date", slug=slug)),
        }

    def counts(self, subject: Subject) -> dict[str, int]:
        """How much there is of each."""
        passages = Enrollment.objects.filter(contact=subject.contact)
        return {
            "passages through journeys": passages.count(),
            "visits": Visit.objects.filter(enrollment__in=passages).count(),
            "requests to other systems": WebhookCall.objects.filter(
                enrollment__in=passages
            ).count(),
        }

    def erase(self, subject: Subject, at: datetime) -> None:
        """Nothing is left to do."""


def _enrollments(contact: Contact) -> list[Enrollment]:
    rows = Enrollment.objects.filter(contact=contact).order_by("pk")
    return list(rows.select_related("journey", "version"))


def _passage(row: Enrollment) -> dict[str, Any]:
    told = (
        "status", "reason", "error", "entered_at", "ended_at", "entry_properties", "event_id",
        "key", "local_date", "resume_at",
    )  # fmt: skip
    return {
        "journey": row.journey.slug,
        "version": row.version.number,
        **{name: getattr(row, name) for name in told},
        "visits": list(
            row.visits.order_by("number").values(
                "number", "entered_at", "left_at", "outcome", key=F("node__key")
            )
        ),
        "requests": list(row.webhook_calls.order_by("visit").values()),
    }
