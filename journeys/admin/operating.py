"""The pages beside the map: publishing, pausing, the history, and entering people by hand."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from contacts import ingest, lookup
from contacts.admin import members
from contacts.admin.filters import number as row_number
from contacts.clock import now
from contacts.models import Membership, Segment
from journeys.admin.builder import find
from journeys.admin.history import History
from journeys.admin.pages import Pages, number
from journeys.admin.pausing import Pausing
from journeys.admin.publication import Publication
from journeys.models import Journey, Version

#: The most people that one entry by hand takes in.
MOST_BY_HAND = 5_000


class Operating(Pages):
    """All of them, for one ModelAdmin."""

    names = ("enter",)

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        parts = (Publication(self.admin), Pausing(self.admin), History(self.admin))
        return [*super().urls(), *(one for part in parts for one in part.urls())]

    def enter(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Enter people by hand: by address or id, or all of a static segment."""
        journey = find(self.admin, request, pk, "enter")
        version = journey.live_version
        by_hand = version is not None and version.trigger == Version.Trigger.MANUAL
        if request.method == "POST" and by_hand and self._enter(request, journey):
            return self.to_map(journey)
        return self.page(
            request,
            "enter",
            journey,
            f"Enter people into {journey.name}",
            by_hand=by_hand,
            segments=Segment.static().order_by("name"),
            most=MOST_BY_HAND,
        )

    def _enter(self, request: HttpRequest, journey: Journey) -> bool:
        """Ask those in who were named, and say so; whether nothing is left to correct."""
        ids, unknown = self._people(request)
        members.tell_unknown(request, unknown)
        if len(ids) > MOST_BY_HAND:
            said = f"These are more than {MOST_BY_HAND:,} people: nobody was asked in."
            messages.error(request, said)
            return False
        if ids:
            ingest.enter(ids, journey.pk, at=now())
            people = number(len(ids), "person is", "people are")
            messages.success(request, f"{people} asked in; the entry rules decide.")
        elif not unknown:
            messages.error(request, "Nobody was named.")
        return bool(ids) and not unknown

    @staticmethod
    def _people(request: HttpRequest) -> tuple[list[int], Sequence[str]]:
        """Those who were named and those in the segment that was chosen, one more than may be asked
        in at most; and the names that nobody has.
        """
        named = lookup.named(request.POST.get("people", ""))
        inside = Membership.objects.filter(
            segment=row_number(request.POST.get("segment")), left_at__isnull=True
        )
        chosen = inside.values_list("contact_id", flat=True)[: MOST_BY_HAND + 1]
        return sorted({*named.ids, *chosen}), named.unknown
