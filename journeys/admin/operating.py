"""The pages beside the map: publishing, pausing, the history, and entering people by hand."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from contacts import ingest
from contacts.clock import now
from contacts.models import Contact, Membership, Segment
from journeys.admin.builder import find
from journeys.admin.history import History
from journeys.admin.pages import Pages
from journeys.admin.pausing import Pausing
from journeys.admin.publication import Publication
from journeys.models import Version

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
        if request.method == "POST" and by_hand:
            ids, unknown = self._people(request)
            if ids:
                ingest.enter(ids, journey.pk, at=now())
                messages.success(
                    request, f"{len(ids):,} people are asked in; the entry rules decide."
                )
            if unknown:
                messages.warning(request, f"Not known: {', '.join(unknown[:20])}.")
            if ids and not unknown:
                return self.to_map(journey)
        return self.page(
            request,
            "enter",
            journey,
            f"Enter people into {journey.name}",
            by_hand=by_hand,
            segments=Segment.objects.filter(condition__isnull=True).order_by("name"),
            most=MOST_BY_HAND,
        )

    @staticmethod
    def _people(request: HttpRequest) -> tuple[list[int], list[str]]:
        asked = list(dict.fromkeys(request.POST.get("people", "").replace(",", "\n").split()))
        asked = asked[:MOST_BY_HAND]
        found: dict[str, int] = {}
        by_id = Contact.objects.filter(external_id__in=asked).values_list("external_id", "pk")
        found.update({str(key): pk for key, pk in by_id})
        by_email = Contact.objects.filter(email__in=asked).values_list("email", "pk")
        found.update(dict(by_email))
        ids = set(found.values())
        segment = request.POST.get("segment", "")
        if segment.isdigit():
            members = Membership.objects.filter(segment=int(segment), left_at__isnull=True)
            ids |= set(members.values_list("contact_id", flat=True)[:MOST_BY_HAND])
        return sorted(ids), [one for one in asked if one not in found]
