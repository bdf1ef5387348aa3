"""Pausing, resuming, archiving and duplicating: pages that say what will happen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from contacts.clock import now
from contacts.values import parse_duration, words_duration
from journeys import publishing
from journeys.admin.builder import find
from journeys.admin.pages import Pages, number
from journeys.fields import HOW_LONG
from journeys.models import Journey
from journeys.naming import names_in
from journeys.picture import read_nodes


@dataclass(frozen=True)
class Resumption:
    """What was chosen on the page: for those who are overdue, and for those who were turned away.

    ``now``, ``spread`` over a time, or ``drop``, which leaves the latter out. Raises ValueError
    where it can't be read.
    """

    how: Literal["now", "spread", "drop"]
    over: timedelta
    again: Literal["now", "spread", "drop"]
    again_over: timedelta

    @classmethod
    def read(cls, sent: dict[str, str]) -> Resumption:
        """The form's fields ``how``, ``over``, ``again`` and ``again_over``."""
        how, over = _choice(sent, "how", "now", "Choose what becomes of those who are overdue.")
        again, again_over = _choice(
            sent, "again", "drop", "Choose what becomes of those who were turned away."
        )
        return cls(how, over, again, again_over)


def _choice(
    sent: dict[str, str], name: str, unsaid: str, problem: str
) -> tuple[Literal["now", "spread", "drop"], timedelta]:
    chosen = sent.get(name, unsaid)
    if chosen == "spread":
        field = "over" if name == "how" else f"{name}_over"
        written = sent.get(field, "").strip()
        if not written:
            raise ValueError(HOW_LONG)
        over = parse_duration(written)
        if over <= timedelta():
            raise ValueError("The time over which people are spread out must be more than nothing.")
        return "spread", over
    if chosen == "now":
        return "now", timedelta()
    if chosen == "drop":
        return "drop", timedelta()
    raise ValueError(problem)


class Pausing(Pages):
    """The pages that stop a journey and let it go on."""

    names = ("pause", "resume", "archive", "duplicate")

    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a pause does and whom it holds; paused by a POST."""
        journey = find(self.admin, request, pk, "publish")
        if journey.status != Journey.Status.LIVE:
            messages.info(request, f"“{journey.name}” is not live, so there is nothing to pause.")
            return self.to_map(journey)
        if request.method == "POST":
            publishing.pause(journey, by=request.user, at=now())  # type: ignore[arg-type]
            said = "is paused. Nobody moves on, and nobody enters, until you resume it."
            messages.success(request, f"“{journey.name}” {said}")
            return self.to_map(journey)
        return self.page(
            request,
            "pause",
            journey,
            f"Pause {journey.name}",
            inside=publishing.inside(journey),
        )

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who is overdue and who was turned away, and what becomes of them; resumed by a POST."""
        journey = find(self.admin, request, pk, "publish")
        moment = now()
        if journey.status != Journey.Status.PAUSED:
            messages.info(request, f"“{journey.name}” is not paused.")
            return self.to_map(journey)
        if request.method == "POST":
            try:
                chosen = Resumption.read(request.POST.dict())
            except ValueError as error:
                messages.error(request, str(error))
            else:
                return self._resume(request, journey, chosen)
        definition = journey.live_version.definition if journey.live_version else None
        cards = read_nodes(definition, names_in(definition))
        found = publishing.overdue(journey, moment)
        return self.page(
            request,
            "resume",
            journey,
            f"Resume {journey.name}",
            overdue=found,
            moved=publishing.moved_at_resumption(journey),
            away=publishing.turned_away(journey),
            rows=[(cards[key].words if key in cards else key, n) for key, n in found.nodes],
            sent=request.POST,
        )

    def _resume(self, request: HttpRequest, journey: Journey, chosen: Resumption) -> HttpResponse:
        count = publishing.resume(
            journey,
            by=request.user,  # type: ignore[arg-type]
            at=now(),
            how=chosen.how,
            over=chosen.over,
            again=chosen.again != "drop",
            again_over=chosen.again_over,
        )
        if count < 0:
            messages.warning(request, f"“{journey.name}” was not paused.")
        else:
            messages.success(request, f"“{journey.name}” is live again. {_told(chosen, count)}")
        return self.to_map(journey)

    # --- the others ---

    def archive(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How many would end; archived by a POST."""
        journey = find(self.admin, request, pk, "publish")
        if request.method == "POST":
            publishing.archive(journey, by=request.user, at=now())  # type: ignore[arg-type]
            messages.success(request, f"“{journey.name}” is archived.")
            return self.to_map(journey)
        people = sum(one.people for one in publishing.standing(journey, journey.draft))
        return self.page(request, "archive", journey, f"Archive {journey.name}", people=people)

    def duplicate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A copy as a new draft."""
        journey = find(self.admin, request, pk)
        if request.method != "POST" or not self.admin.has_add_permission(request):
            raise PermissionDenied
        made = publishing.duplicate(journey, by=request.user, at=now())  # type: ignore[arg-type]
        messages.success(request, f"“{made.name}” is a copy that nobody is on yet.")
        return self.to_map(made)


def _told(chosen: Resumption, count: int) -> str:
    """What becomes of those who waited for the resumption."""
    said = []
    if count:
        people = number(count, "overdue person", "overdue people")
        goes = "goes" if count == 1 else "go"
        said.append(
            {
                "now": f"{people} {goes} on now.",
                "spread": f"{people} {goes} on over the next {words_duration(chosen.over)}.",
                "drop": f"{people} left the journey.",
            }[chosen.how]
        )
    if chosen.again == "now":
        said.append("Those who were turned away are asked in now; the entry rules decide.")
    if chosen.again == "spread":
        over = words_duration(chosen.again_over)
        said.append(f"Those who were turned away are asked in over the next {over}.")
    return " ".join(said)
