"""What was done to a journey, in the admin's history, with its difference in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db.models import QuerySet

from journeys.models import Journey
from journeys.naming import names_in
from journeys.picture import difference

MOST_SENTENCES = 40
#: Saves of one person with no longer pause between them are one entry of the history.
SITTING = timedelta(minutes=10)

By = User | None


def note(journey: Journey, by: By, at: datetime, message: str, *, added: bool = False) -> None:
    """Keep an entry; what is done without a user, by a command or a job, keeps none."""
    if by is None:
        return
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(Journey),
        object_id=str(journey.pk),
        object_repr=str(journey)[:200],
        action_flag=ADDITION if added else CHANGE,
        change_message=message,
        action_time=at,
    )


def note_draft(journey: Journey, by: By, at: datetime, before: Any) -> None:
    """Keep what a save changed. Saves of one person without a pause are one entry, which tells
    what they changed together.

    The builder saves with each pause in typing. What the draft was before is kept in the cache of
    the process; where it is not there, the next save begins an entry of its own.
    """
    if by is None:
        return
    key = f"journeys.sitting.{journey.pk}.{by.pk}"
    sitting = cache.get(key)
    last = _entries(journey).order_by("-pk").first()
    goes_on = sitting is not None and last is not None and last.pk == sitting["entry"]
    base = sitting["draft"] if goes_on else before
    changes = told(base, journey.draft) or ("And back again." if goes_on else "")
    if not changes:
        return
    if goes_on and last is not None:
        last.change_message, last.action_time = f"Changed the draft. {changes}", at
        last.save(update_fields=["change_message", "action_time"])
    else:
        note(journey, by, at, f"Changed the draft. {changes}")
        last = _entries(journey).order_by("-pk").first()
    kept = {"draft": base, "entry": last.pk if last else None}
    cache.set(key, kept, SITTING.total_seconds())


def _entries(journey: Journey) -> QuerySet[LogEntry]:
    kind = ContentType.objects.get_for_model(Journey)
    return LogEntry.objects.filter(content_type=kind, object_id=str(journey.pk))


def told(before: Any, after: Any) -> str:
    """What differs between two drafts, in sentences; nothing where nothing does."""
    sentences = difference(before, after, names_in(before, after)).sentences
    more = len(sentences) - MOST_SENTENCES
    said = sentences[:MOST_SENTENCES] + ([f"And {more} changes more."] if more > 0 else [])
    return " ".join(said)
