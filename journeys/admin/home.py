"""The admin's first page: what needs attention, how the journeys do, mail, and what comes in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from contacts.clock import now
from contacts.models import Event, Fact
from journeys import reports
from journeys.models import Enrollment, Journey, WebhookCall
from journeys.timing import ago, share
from messaging.models import Message

#: What failed longer ago than this is history.
RECENT = timedelta(days=7)
#: What is due for longer than this is overdue: the clock and the workers are behind.
LATE = timedelta(minutes=5)
MOST_JOURNEYS = 12


@dataclass(frozen=True)
class Matter:
    """Something that needs attention: how much of it, what it means, and where it leads."""

    icon: str
    count: int
    words: str
    url: str
    bad: bool = True


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template of the first page shows, as far as its reader may see it."""
    moment = now()
    user: Any = request.user
    sees_journeys = user.has_perm("journeys.view_journey")
    sees_mail = user.has_perm("messaging.view_message")
    context["home"] = {
        "matters": matters(moment) if user.has_perm("journeys.view_enrollment") else [],
        "journeys": _journeys() if sees_journeys else [],
        "sees_journeys": sees_journeys,
        "may_add": user.has_perm("journeys.add_journey"),
        "mail": _mail(moment) if sees_mail else None,
        "coming": _coming(moment) if user.has_perm("contacts.view_event") else None,
        "has_events": Event.objects.exists(),
    }
    return context


def matters(moment: datetime) -> list[Matter]:
    """What needs attention, the worst first; a statement each."""
    since = moment - RECENT
    statuses = Message.Status
    mail = Message.objects.filter(status__in=[statuses.FAILED, statuses.UNCERTAIN]).aggregate(
        failed=Count("pk", filter=Q(status=statuses.FAILED, queued_at__gte=since)),
        uncertain=Count("pk", filter=Q(status=statuses.UNCERTAIN)),
    )
    late = moment - LATE
    overdue = Enrollment.objects.filter(
        status=Enrollment.Status.WAITING, held=False, resume_at__lt=late
    ).exclude(journey__status=Journey.Status.PAUSED)
    failed = Enrollment.objects.filter(status=Enrollment.Status.FAILED, ended_at__gte=since)
    calls = WebhookCall.objects.filter(status=WebhookCall.Status.FAILED, created_at__gte=since)
    paused = list(
        Journey.objects.filter(status=Journey.Status.PAUSED).values_list("pk", "name", "paused_at")
    )
    found = [
        Matter(
            "error",
            failed.count(),
            "passages failed in the last 7 days",
            _url("journeys_enrollment", "?status__exact=failed"),
        ),
        Matter(
            "front_hand",
            Fact.objects.filter(failed_at__isnull=False).count(),
            "facts were put aside because they could not be worked through",
            _url("contacts_fact"),
        ),
        Matter(
            "help",
            mail["uncertain"],
            "mails of which it is uncertain whether they were sent",
            _url("messaging_message", "?status__exact=uncertain"),
        ),
        Matter(
            "unsubscribe",
            mail["failed"],
            "mails failed in the last 7 days",
            _url("messaging_message", "?status__exact=failed"),
        ),
        Matter(
            "webhook",
            calls.count(),
            "requests to other systems failed in the last 7 days",
            _url("journeys_webhookcall", "?status__exact=failed"),
        ),
        Matter(
            "schedule",
            overdue.count(),
            "people have been due for more than 5 minutes: is the clock running?",
            _url("journeys_enrollment", "?status__exact=waiting"),
        ),
        *(
            Matter(
                "pause_circle",
                1,
                f"“{name}” is paused" + (f" since {ago(at, moment)}" if at else ""),
                reverse("admin:journeys_journey_change", args=[pk]),
                bad=False,
            )
            for pk, name, at in paused
        ),
    ]
    return [matter for matter in found if matter.count]


def _url(model: str, query: str = "") -> str:
    try:
        return f"{reverse(f'admin:{model}_changelist')}{query}"
    except NoReverseMatch:
        return ""


def _journeys() -> list[dict[str, Any]]:
    """The journeys that run, with their totals: two statements."""
    rows = list(
        Journey.objects.filter(status__in=[Journey.Status.LIVE, Journey.Status.PAUSED]).order_by(
            "name"
        )[:MOST_JOURNEYS]
    )
    found = reports.totals(journey.pk for journey in rows)
    return [
        {"journey": journey, "totals": found[journey.pk], "bars": _bars(found[journey.pk])}
        for journey in rows
    ]


def _bars(totals: reports.Totals) -> list[dict[str, Any]]:
    """The shares of a journey's passages, for a bar of four colours."""
    parts = (
        ("open", totals.open, "under way"),
        ("converted", totals.converted, "reached the goal"),
        ("completed", totals.completed, "completed"),
        ("exited", totals.exited - totals.converted, "left"),
        ("failed", totals.failed, "failed"),
    )
    return [
        {"name": name, "share": 100 * count / totals.entered, "words": f"{count:,} {words}"}
        for name, count, words in parts
        if count
    ]


def _mail(moment: datetime) -> dict[str, Any]:
    days = reports.mail_days(moment)
    sent = sum(days["sent"])
    names = ("sent", "delivered", "opened", "clicked", "bounced", "complained")
    total = {name: sum(days[name]) for name in names}
    tiles = [
        {"words": "sent", "count": sent, "share": ""},
        {"words": "opened", "count": total["opened"], "share": share(total["opened"], sent)},
        {"words": "clicked", "count": total["clicked"], "share": share(total["clicked"], sent)},
        {"words": "bounced", "count": total["bounced"], "share": share(total["bounced"], sent)},
    ]
    labels = [day[8:].lstrip("0") + "." for day in days["days"]]
    series = [
        {"label": "Sent", "data": days["sent"], "colour": "primary-300"},
        {"label": "Opened", "data": days["opened"], "colour": "primary-500"},
        {"label": "Clicked", "data": days["clicked"], "colour": "blue-600"},
        {"label": "Bounced", "data": days["bounced"], "colour": "red-500"},
    ]
    return {
        "tiles": tiles,
        "chart": json.dumps({"kind": "bar", "labels": labels, "series": series}),
        "words": f"Mail of the last 14 days: {sent:,} sent, {total['opened']:,} opened, "
        f"{total['clicked']:,} clicked, {total['bounced']:,} bounced.",
    }


def _coming(moment: datetime) -> dict[str, Any]:
    hours = reports.coming_in(moment)
    first = moment - timedelta(hours=23)
    labels = [f"{first + timedelta(hours=hour):%H}:00" for hour in range(24)]
    series = [
        {"label": "Events", "data": hours["events"], "colour": "blue-500"},
        {"label": "Entries", "data": hours["entries"], "colour": "primary-500"},
    ]
    events, entries = sum(hours["events"]), sum(hours["entries"])
    return {
        "events": events,
        "entries": entries,
        "chart": json.dumps({"kind": "line", "labels": labels, "series": series}),
        "words": f"Last 24 hours: {events:,} events and {entries:,} entries into journeys.",
    }
