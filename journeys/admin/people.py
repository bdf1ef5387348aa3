"""This room's part of a contact's page: the journeys a person is on, and what happened there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest
from django.urls import reverse

from contacts.admin.panels import Entry, Phase, Row, Section, Tone, section, timeline
from contacts.clock import now
from contacts.models import Contact
from journeys.admin import cards
from journeys.models import Enrollment, Refusal
from journeys.timing import ago

MOST = 20
TONES: dict[str, Tone] = {"failed": "bad", "completed": "good"}


def _url(enrollment: Enrollment) -> str:
    return reverse("admin:journeys_enrollment_change", args=[enrollment.pk])


@section(order=15)
def journeys(contact: Contact, request: HttpRequest) -> Section | None:
    """The person's passages, those under way first."""
    if not request.user.has_perm("journeys.view_enrollment"):
        return None
    rows = Enrollment.objects.filter(contact=contact).select_related("journey", "node")
    latest = sorted(rows.order_by("-pk")[:MOST], key=lambda one: one.ended_at is not None)
    known = cards.of_nodes(one.node for one in latest if one.node and not one.ended_at)
    moment = now()
    everything = reverse("admin:journeys_enrollment_changelist")
    return Section(
        "Journeys",
        "route",
        rows=[_row(one, known, moment) for one in latest],
        empty="This person is on no journey and has been on none.",
        url=f"{everything}?q={contact.external_id or contact.email}",
        link="All passages",
    )


def _row(enrollment: Enrollment, known: cards.Cards, moment: datetime) -> Row:
    standing = enrollment.node and not enrollment.ended_at
    where = f" at “{known.words(enrollment.node)}”" if enrollment.node and standing else ""
    why = f": {enrollment.why}" if enrollment.why and not enrollment.reached_goal else ""
    return Row(
        enrollment.journey.name,
        f"{enrollment.standing}{where}{why}",
        _url(enrollment),
        "good" if enrollment.reached_goal else TONES.get(enrollment.status, ""),
        ago(enrollment.ended_at or enrollment.entered_at, moment),
    )


@timeline
def passages(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """When the person entered and left journeys, and when it was not let in."""
    entered = Enrollment.objects.filter(contact=contact).select_related("journey")
    ended = entered.filter(ended_at__isnull=False)
    refused = Refusal.objects.filter(contact=contact).select_related("journey")
    if before is not None:
        entered = entered.filter(entered_at__lt=before)
        ended = ended.filter(ended_at__lt=before)
        refused = refused.filter(at__lt=before)
    return [
        *(
            Entry(
                one.entered_at,
                "route",
                f"Entered {one.journey.name}",
                url=_url(one),
                rank=(Phase.ENTERED, one.pk),
            )
            for one in entered.order_by("-entered_at", "-pk")[:limit]
        ),
        *(_ending(one) for one in ended.order_by("-ended_at", "-pk")[:limit]),
        *(
            Entry(
                one.at,
                "do_not_disturb_on",
                f"Not let into {one.journey.name}",
                one.get_reason_display(),
                rank=(Phase.ENTERED, 0),
            )
            for one in refused.order_by("-at", "-pk")[:limit]
        ),
    ]


def _ending(enrollment: Enrollment) -> Entry:
    assert enrollment.ended_at is not None
    said = "Reached the goal of" if enrollment.reached_goal else enrollment.get_status_display()
    return Entry(
        enrollment.ended_at,
        "emoji_events" if enrollment.reached_goal else "flag",
        f"{said} {enrollment.journey.name}",
        "" if enrollment.reached_goal else enrollment.why,
        _url(enrollment),
        "good" if enrollment.reached_goal else TONES.get(enrollment.status, ""),
        rank=(Phase.ENDED, enrollment.pk),
    )
