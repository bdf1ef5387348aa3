"""What was done to a journey, in the admin's history, with its difference in words; and the drafts
it had, to be looked at and brought back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet

from journeys.models import Journey, SavedDraft
from journeys.naming import names_in
from journeys.picture import difference

MOST_SENTENCES = 40
#: Saves of one person with no longer pause between them are one entry of the history.
SITTING = timedelta(minutes=10)
#: How many earlier drafts of a journey are kept.
KEPT_DRAFTS = 100

#: How the entry of an ordinary save begins.
CHANGED = "Changed the draft."

By = User | None


def note(
    journey: Journey, by: By, at: datetime, message: str, *, added: bool = False
) -> LogEntry | None:
    """Keep an entry; what is done without a user, by a command or a job, keeps none."""
    if by is None:
        return None
    return LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(Journey),
        object_id=str(journey.pk),
        object_repr=str(journey)[:200],
        action_flag=ADDITION if added else CHANGE,
        change_message=message,
        action_time=at,
    )


def note_draft(
    journey: Journey, by: By, at: datetime, before: Journey, said: str = CHANGED
) -> None:
    """Keep the draft that was saved, and tell what changed; ``before`` is the journey before it.

    Saves of one person without a pause are one draft and one entry, which tells what they changed
    together: the builder saves with each pause in typing. Anything else that happens to the journey
    meanwhile ends the sitting, and so does a save that is called something else.
    """
    if journey.draft == before.draft:
        return
    last, earlier = _last_drafts(journey, before)
    if said == CHANGED and earlier is not None and _goes_on(last, by, at, newest(journey)):
        changes = told_draft(earlier.draft, journey.draft) or "And back again."
        LogEntry.objects.filter(pk__in=[last.entry_id]).update(
            change_message=f"{said}\n{changes}", action_time=at
        )
        last.draft, last.saved_at = journey.draft, at
        last.save(update_fields=["draft", "saved_at"])
        return
    changes = told_draft(before.draft, journey.draft)
    entry = note(journey, by, at, f"{said}\n{changes}".strip())
    SavedDraft.objects.create(
        journey=journey, draft=journey.draft, saved_at=at, saved_by=by, entry=entry
    )


def _last_drafts(journey: Journey, before: Journey) -> tuple[SavedDraft, SavedDraft | None]:
    """The draft that was kept last, and the one before it; older ones than are kept are dropped."""
    rows = list(journey.saved_drafts.order_by("-pk")[: KEPT_DRAFTS + 1])
    if len(rows) > KEPT_DRAFTS:
        journey.saved_drafts.filter(pk__lte=rows[KEPT_DRAFTS].pk).delete()
    if rows:
        return rows[0], rows[1] if len(rows) > 1 else None
    first = SavedDraft.objects.create(
        journey=journey,
        draft=before.draft,
        saved_at=before.draft_saved_at,
        saved_by_id=before.draft_saved_by_id,
    )
    return first, None


def _goes_on(last: SavedDraft, by: By, at: datetime, entry: LogEntry | None) -> bool:
    """Whether a save at that moment is of the sitting that left the last draft."""
    return (
        by is not None
        and last.saved_by_id == by.pk
        and last.saved_at is not None
        and timedelta() <= at - last.saved_at <= SITTING
        and entry is not None
        and last.entry_id == entry.pk
        and entry.change_message.startswith(CHANGED)
    )


def newest(journey: Journey) -> LogEntry | None:
    """The last entry of a journey's history."""
    return entries(journey).order_by("-pk").first()


def entries(journey: Journey) -> QuerySet[LogEntry]:
    """All entries of a journey's history."""
    kind = ContentType.objects.get_for_model(Journey)
    return LogEntry.objects.filter(content_type=kind, object_id=str(journey.pk))


def told(before: Any, after: Any) -> str:
    """What differs between two drafts, a sentence a line; nothing where nothing does."""
    sentences = difference(before, after, names_in(before, after)).sentences
    more = len(sentences) - MOST_SENTENCES
    said = sentences[:MOST_SENTENCES] + ([f"And {more} changes more."] if more > 0 else [])
    return "\n".join(said)


def told_draft(before: Any, after: Any) -> str:
    """The same, with what holds without being published."""
    old, new = (one if isinstance(one, dict) else {} for one in (before, after))
    said = []
    if old.get("name") != new.get("name"):
        said.append(f"It is called “{new.get('name') or new.get('journey')}” now.")
    if old.get("description") != new.get("description"):
        said.append("The description is another.")
    return "\n".join([*said, *filter(None, [told(before, after)])])
