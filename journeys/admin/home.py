"""The admin's first page: what needs attention, how the journeys do, mail, and what comes in."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest

from contacts.clock import now
from contacts.models import Event
from journeys import reports
from journeys.admin.attention import matters
from journeys.models import Journey
from journeys.timing import share

MOST_JOURNEYS = 12
#: What is told of mails that were sent, as it is called.
MAIL_TILES = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "complained": "reported as spam",
}


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


def _journeys() -> list[dict[str, Any]]:
    """The journeys that run, with their totals: two statements."""
    rows = list(
        Journey.objects.filter(status__in=[Journey.Status.LIVE, Journey.Status.PAUSED])
        .annotate(has_goal=KeyTransform("goal", "live_version__definition"))
        .order_by("name")[:MOST_JOURNEYS]
    )
    found = reports.totals(journey.pk for journey in rows)
    return [
        {
            "journey": journey,
            "totals": found[journey.pk],
            # Who reached a goal that an older version had counts as well.
            "has_goal": bool(journey.has_goal) or found[journey.pk].converted > 0,
            "bars": _bars(found[journey.pk]),
        }
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
    tiles = [{"words": "sent", "count": sent, "share": ""}]
    tiles += [
        {"words": words, "count": total[name], "share": share(total[name], sent)}
        for name, words in MAIL_TILES.items()
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
        "table": _table(days["days"], series),
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
        "table": _table(labels, series),
        "words": f"Last 24 hours: {events:,} events and {entries:,} entries into journeys.",
    }


def _table(labels: list[str], series: list[dict[str, Any]]) -> dict[str, Any]:
    """A chart's numbers in rows, for those who read rather than look."""
    columns = zip(labels, *(one["data"] for one in series), strict=True)
    return {
        "heads": [one["label"] for one in series],
        "rows": [(row[0], row[1:]) for row in columns],
    }
