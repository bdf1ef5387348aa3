"""Drafts: saved whole, with who and when, never over somebody else's; and what is wrong in one."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from contacts.problems import Problems
from journeys import plans
from journeys.definition import Definition, read
from journeys.lint import lint
from journeys.models import Journey, SavedDraft, Version
from journeys.publishing.changes import AT_ONCE, to_publish
from journeys.publishing.history import CHANGED, By, note, note_draft
from journeys.timing import plain

#: Parts of a file that belong to the installation once it is imported.
SECTIONS = ("templates", "segments", "topics", "installation")


class Stale(Exception):
    """Somebody else saved the draft in the meantime; ``journey`` is as they left it."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        by = journey.draft_saved_by
        who = by.get_username() if by else "somebody else"
        super().__init__(f"The draft was saved by {who} in the meantime.")


def problems(subject: Journey | Any) -> Problems:
    """All that is wrong with a journey's draft, or with a draft, and what looks wrong."""
    return examine(subject.draft if isinstance(subject, Journey) else subject)[1]


def examine(draft: Any) -> tuple[Definition | None, Problems]:
    """The definition of a draft, None where it can't be published, and its problems."""
    found = Problems()
    definition = read(draft, plans.installed(), found)
    for section in SECTIONS if isinstance(draft, dict) else ():
        if section in draft:
            found.error(
                section,
                "A draft uses what the installation holds, and carries nothing itself.",
                "Import the file; that takes over what it carries.",
            )
    if definition is not None:
        lint(definition, found)
    return (None if found.errors else definition), found


def create(data: dict[str, Any], *, by: By = None, at: datetime) -> Journey:
    """A new journey with this draft. Its slug is the draft's and must be free."""
    slug = str(data["journey"])
    with transaction.atomic():
        journey = Journey.objects.create(
            slug=slug,
            name=_name(data, slug),
            description=_description(data),
            draft=data,
            draft_revision=1,
            draft_saved_at=at,
            draft_saved_by=by,
            created_at=at,
        )
        note(journey, by, at, "Made the journey.", added=True)
    return journey


def _name(data: dict[str, Any], slug: str) -> str:
    name = data.get("name")
    return name[:200] if isinstance(name, str) and name.strip() else slug


def _description(data: dict[str, Any]) -> str:
    description = data.get("description")
    return description if isinstance(description, str) else ""


def save_draft(
    journey: Journey,
    data: dict[str, Any],
    *,
    by: By = None,
    at: datetime,
    revision: int,
    said: str = CHANGED,
) -> Journey:
    """Save ``data`` over the draft of that ``revision``; the journey as it is then.

    The slug stays the journey's own. ``said`` is what the history calls it. What the draft was is
    kept, so that nothing that was saved is lost. Raises Stale where the draft has another revision
    by now.
    """
    data = {**data, "journey": journey.slug}
    with transaction.atomic():
        saved = Journey.objects.filter(pk=journey.pk, draft_revision=revision).update(
            draft=data,
            draft_revision=F("draft_revision") + 1,
            draft_saved_at=at,
            draft_saved_by=by,
            name=_name(data, journey.slug),
            description=_description(data),
        )
        current = Journey.objects.select_related("draft_saved_by").get(pk=journey.pk)
        if not saved:
            raise Stale(current)
        note_draft(current, by, at, journey, said)
    return current


def duplicate(journey: Journey, *, by: By = None, at: datetime) -> Journey:
    """A new journey with the same draft, under a slug that is free."""
    taken = set(Journey.objects.values_list("slug", flat=True))
    slug, number = f"{journey.slug[:90]}-copy", 2
    while slug in taken:
        slug, number = f"{journey.slug[:90]}-copy-{number}", number + 1
    data = {
        **copy.deepcopy(journey.draft),
        "journey": slug,
        "name": f"Copy of {journey.name}"[:200],
    }
    return create(data, by=by, at=at)


def restore(version: Version, *, by: By = None, at: datetime) -> Journey:
    """Make the draft what a version was; it is not published by that. Raises Stale."""
    journey = Journey.objects.get(pk=version.journey_id)
    return _take_over(journey, version.definition, by, at, f"Took version {version.number} over.")


def restore_draft(saved: SavedDraft, *, by: By = None, at: datetime) -> Journey:
    """Make the draft what it was at an earlier time. Raises Stale."""
    journey = Journey.objects.get(pk=saved.journey_id)
    when = f" of {plain(saved.saved_at)}" if saved.saved_at else ""
    return _take_over(journey, saved.draft, by, at, f"Took the draft{when} over.")


def discard(journey: Journey, *, by: By = None, at: datetime, revision: int) -> Journey:
    """Make the draft what is live, and leave what was changed since to the history.

    Nothing happens where nothing is live. Raises Stale where somebody saved after ``revision``.
    """
    current = Journey.objects.select_related("live_version", "draft_saved_by").get(pk=journey.pk)
    if current.draft_revision != revision:
        raise Stale(current)
    live = current.live_version
    if live is None:
        return current
    said = f"Discarded the changes since version {live.number}."
    return _take_over(current, live.definition, by, at, said)


def _take_over(journey: Journey, old: Any, by: By, at: datetime, said: str) -> Journey:
    """Make ``old`` the draft; what holds without being published stays as it is."""
    kept = {part: value for part, value in journey.draft.items() if part in AT_ONCE}
    data = {**copy.deepcopy(to_publish(old)), **kept}
    return save_draft(journey, data, by=by, at=at, revision=journey.draft_revision, said=said)
