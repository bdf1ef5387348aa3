"""What was done to a journey, its versions and earlier drafts, and the ways back to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern

from contacts.clock import now
from journeys import publishing
from journeys.admin import maps
from journeys.admin.builder import find
from journeys.admin.pages import Pages, may
from journeys.models import Journey, SavedDraft, Version
from journeys.naming import names_in
from journeys.picture import difference, draw
from journeys.timing import plain

#: How many entries the history shows.
MOST_ENTRIES = 200


@dataclass(frozen=True)
class Entry:
    """A row of the history: who did what when, and what can be looked at and brought back.

    ``now`` says of a draft that the draft is like that at present.
    """

    at: datetime | None
    who: str
    head: str
    lines: Sequence[str]
    draft: int | None = None
    version: int | None = None
    now: bool = False


def history_of(journey: Journey) -> list[Entry]:
    """The history, the newest first: a fixed number of statements."""
    drafts = list(journey.saved_drafts.select_related("saved_by").order_by("-pk"))
    by_entry = {draft.entry_id: draft for draft in drafts if draft.entry_id is not None}
    versions = dict(journey.versions.values_list("published_at", "number"))
    rows = []
    for entry in publishing.entries(journey).select_related("user").order_by("-pk")[:MOST_ENTRIES]:
        head, *lines = entry.get_change_message().splitlines() or [""]
        draft = by_entry.get(entry.pk)
        published = versions.get(entry.action_time) if head.startswith("Published") else None
        rows.append(
            Entry(
                entry.action_time,
                entry.user.get_full_name() or entry.user.get_username(),
                head,
                lines,
                draft=draft.pk if draft else None,
                version=published,
                now=draft is not None and draft.draft == journey.draft,
            )
        )
    rows += [_untold(draft, journey) for draft in drafts if draft.entry_id is None]
    beginning = datetime.min.replace(tzinfo=UTC)
    return sorted(rows, key=lambda row: row.at or beginning, reverse=True)


def _untold(draft: SavedDraft, journey: Journey) -> Entry:
    """A draft of which no entry tells: one from before anything was kept, or of a command."""
    who = draft.saved_by.get_username() if draft.saved_by else ""
    return Entry(
        draft.saved_at, who, "The draft was saved.", (), draft.pk, now=draft.draft == journey.draft
    )


class History(Pages):
    """The pages of the past."""

    names = ("history", "versions", "discard")

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        return [
            *super().urls(),
            self.route("versions/<int:number>/", "version"),
            self.route("versions/<int:number>/restore/", "restore"),
            self.route("drafts/<int:saved>/", "earlier"),
            self.route("drafts/<int:saved>/restore/", "restore_draft"),
        ]

    def history(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who did what when, in words."""
        journey = find(self.admin, request, pk)
        return self.page(
            request,
            "history",
            journey,
            f"History of {journey.name}",
            entries=history_of(journey),
            may_change=self._may_change(request, journey),
        )

    def versions(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All versions, newest first, with what each changed."""
        journey = find(self.admin, request, pk)
        moment = now()
        rows = list(journey.versions.select_related("published_by").order_by("-number"))
        older = [*rows[1:], None]
        names = names_in(*(version.definition for version in rows))
        moved = list(journey.relocations.select_related("version", "made_by")[:20])
        offered = publishing.put_back_by(moved, moment)
        return self.page(
            request,
            "versions",
            journey,
            f"Versions of {journey.name}",
            versions=[
                {
                    "version": version,
                    "live": version.pk == journey.live_version_id,
                    "sentences": difference(before.definition, version.definition, names).sentences
                    if before
                    else ["The first version."],
                }
                for version, before in zip(rows, older, strict=True)
            ],
            relocations=[(move, move.pk in offered) for move in moved],
            may_publish=may(request, "publish"),
        )

    def version(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """One version as a picture, and what it would change in the draft."""
        journey = find(self.admin, request, pk)
        version = self._version(journey, number)
        return self._still(
            request,
            journey,
            f"{journey.name}, version {number}",
            version.definition,
            version=version,
        )

    def earlier(self, request: HttpRequest, pk: int, saved: int) -> HttpResponse:
        """An earlier draft as a picture, and what it would change in the draft."""
        journey = find(self.admin, request, pk)
        draft = self._saved(journey, saved)
        when = f" of {plain(draft.saved_at)}" if draft.saved_at else ", the first"
        title = f"{journey.name}, draft{when}"
        return self._still(request, journey, title, draft.draft, saved=draft)

    def _still(
        self, request: HttpRequest, journey: Journey, title: str, old: Any, **context: Any
    ) -> HttpResponse:
        names = names_in(old, journey.draft)
        return self.page(
            request,
            "version",
            journey,
            title,
            picture=maps.make(draw(old, names=names)),
            sentences=difference(journey.draft, old, names).sentences,
            may_change=self._may_change(request, journey),
            **context,
        )

    def _may_change(self, request: HttpRequest, journey: Journey) -> bool:
        allowed: bool = self.admin.has_change_permission(request, journey)
        return allowed and journey.status != Journey.Status.ARCHIVED

    @staticmethod
    def _version(journey: Journey, number: int) -> Version:
        version = journey.versions.filter(number=number).first()
        if version is None:
            raise Http404
        return version

    @staticmethod
    def _saved(journey: Journey, pk: int) -> SavedDraft:
        draft = journey.saved_drafts.select_related("saved_by").filter(pk=pk).first()
        if draft is None:
            raise Http404
        return draft

    # --- ways back ---

    def restore(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """Make the draft what a version was."""
        journey = self._to_change(request, pk)
        version = self._version(journey, number)
        publishing.restore(version, by=request.user, at=now())  # type: ignore[arg-type]
        said = f"The draft is version {number} again. Publish it to make it live."
        messages.success(request, said)
        return self.to_map(journey)

    def restore_draft(self, request: HttpRequest, pk: int, saved: int) -> HttpResponse:
        """Make the draft what it was."""
        journey = self._to_change(request, pk)
        draft = self._saved(journey, saved)
        publishing.restore_draft(draft, by=request.user, at=now())  # type: ignore[arg-type]
        said = "The earlier draft is back. What it replaced is in the history."
        messages.success(request, said)
        return self.to_map(journey)

    def _to_change(self, request: HttpRequest, pk: int) -> Journey:
        journey = find(self.admin, request, pk, "change")
        if request.method != "POST" or journey.status == Journey.Status.ARCHIVED:
            raise Http404
        return journey

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would be lost; discarded by a POST."""
        journey = find(self.admin, request, pk, "change")
        live = journey.live_version
        if live is None or not publishing.unpublished(journey):
            messages.info(request, "There is nothing to discard: the draft is what is live.")
            return self.to_map(journey)
        if request.method == "POST":
            revision = request.POST.get("revision", "")
            try:
                publishing.discard(
                    journey,
                    by=request.user,  # type: ignore[arg-type]
                    at=now(),
                    revision=int(revision) if revision.isdecimal() else journey.draft_revision,
                )
            except publishing.Stale as stale:
                messages.error(request, f"{stale} Look at what is there before you discard it.")
            else:
                said = f"The draft is version {live.number} again. What you discarded is in the"
                messages.success(request, f"{said} history, and can be brought back from there.")
                return self.to_map(journey)
            journey = find(self.admin, request, pk, "change")
        names = names_in(journey.draft, live.definition)
        return self.page(
            request,
            "discard",
            journey,
            f"Discard the changes to {journey.name}",
            live=live,
            sentences=difference(live.definition, journey.draft, names).sentences,
        )
