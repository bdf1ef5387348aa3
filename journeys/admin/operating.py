"""Publishing, pausing, resuming, archiving and duplicating: pages that show what will happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from contacts import ingest
from contacts.clock import now
from contacts.models import Contact, Membership, Segment
from contacts.problems import Invalid
from contacts.values import parse_duration, words_duration
from journeys import publishing
from journeys.admin import maps
from journeys.admin.builder import find, said
from journeys.models import Journey, Relocation, Version
from journeys.naming import names_in
from journeys.picture import Card, card_of, difference, draw, draw_changes, read_nodes
from journeys.publishing import Move, Standing

#: The most people that one entry by hand takes in.
MOST_BY_HAND = 5_000


@dataclass
class Stand:
    """Those who stand at a node of older versions, and what can become of them."""

    node: str
    words: str
    icon: str
    kind: str
    people: int = 0
    versions: list[int] = field(default_factory=list)
    state: str = "same"

    @property
    def changed(self) -> bool:
        return self.state != "same"

    @property
    def where(self) -> str:
        """``version 2`` or ``versions 1, 2``."""
        listed = ", ".join(str(number) for number in sorted(self.versions))
        return f"version{'s' if len(self.versions) > 1 else ''} {listed}"


def stands(found: list[Standing], cards: Mapping[str, Card]) -> list[Stand]:
    """Where people stand, one for each node, what is gone or changed first."""
    rank = {"gone": 0, "changed": 1, "same": 2}
    made: dict[str, Stand] = {}
    for one in found:
        card = cards.get(one.node)
        stand = made.setdefault(
            one.node,
            Stand(
                one.node,
                card.words if card else one.node,
                card.icon if card else "help",
                one.kind,
            ),
        )
        stand.people += one.people
        stand.versions.append(one.version)
        if rank[one.state] < rank[stand.state]:
            stand.state = one.state
    return sorted(made.values(), key=lambda stand: (rank[stand.state], stand.node))


def moves(sent: Mapping[str, Any], known: list[Stand]) -> dict[str, Move]:
    """The choices of the form: ``move-NODE`` is finish, same, exit or ``to:NODE``."""
    found = {}
    for stand in known:
        choice = str(sent.get(f"move-{stand.node}", "finish"))
        if choice in ("same", "exit"):
            found[stand.node] = Move(choice)  # type: ignore[arg-type]
        elif choice.startswith("to:"):
            found[stand.node] = Move("node", choice.removeprefix("to:"))
    return found


class Operating:
    """The pages, for one ModelAdmin."""

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        wrap = self.admin.admin_site.admin_view
        return [
            path(f"<int:pk>/{name}/", wrap(getattr(self, name)), name=f"journeys_journey_{name}")
            for name in (
                "publish",
                "pause",
                "resume",
                "archive",
                "duplicate",
                "versions",
                "enter",
            )
        ] + [
            path(
                "<int:pk>/versions/<int:number>/",
                wrap(self.version),
                name="journeys_journey_version",
            ),
            path(
                "<int:pk>/versions/<int:number>/restore/",
                wrap(self.restore),
                name="journeys_journey_restore",
            ),
            path(
                "<int:pk>/moves/<int:relocation>/back/",
                wrap(self.take_back),
                name="journeys_journey_back",
            ),
        ]

    def _page(
        self, request: HttpRequest, template: str, journey: Journey, title: str, **context: Any
    ) -> HttpResponse:
        shared = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "original": journey,
            "journey": journey,
            "media": self.admin.media,
            "title": title,
        }
        return TemplateResponse(request, f"journeys/{template}.html", {**shared, **context})

    def _to_map(self, journey: Journey) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:journeys_journey_change", args=[journey.pk]))

    # --- publishing ---

    def publish(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would change and who stands where; published by a POST."""
        journey = find(self.admin, request, pk, "publish")
        found = publishing.standing(journey, journey.draft)
        old = journey.live_version.definition if journey.live_version else None
        names = names_in(journey.draft, old)
        cards = {**read_nodes(journey.draft, names), **read_nodes(old, names)}
        standing = stands(found, cards)
        if request.method == "POST":
            done = self._publish(request, journey, standing)
            if done is not None:
                return done
        problems = publishing.problems(journey)
        changes = difference(old, journey.draft, names) if old else None
        picture = (
            draw_changes(old, journey.draft, problems, names)
            if old
            else draw(journey.draft, problems, names=names)
        )
        drawn = read_nodes(journey.draft, names)
        return self._page(
            request,
            "publish",
            journey,
            f"Publish {journey.name}",
            errors=[_placed(one, drawn) for one in problems.errors],
            warnings=[_placed(one, drawn) for one in problems if one.level != "error"],
            changes=changes,
            nothing_new=changes is not None and not changes,
            stands=standing,
            people=sum(stand.people for stand in standing),
            targets=[(key, card.words) for key, card in drawn.items()],
            kept=set(drawn),
            picture=maps.make(picture),
            next_number=(journey.live_version.number if journey.live_version else 0) + 1,
        )

    def _publish(
        self, request: HttpRequest, journey: Journey, standing: list[Stand]
    ) -> HttpResponse | None:
        revision = request.POST.get("revision", "")
        try:
            version = publishing.publish(
                journey,
                by=request.user,  # type: ignore[arg-type]
                at=now(),
                moves=moves(request.POST, standing),
                revision=int(revision) if revision.isdigit() else None,
                comment=request.POST.get("comment", ""),
            )
        except publishing.Stale as stale:
            messages.error(request, f"{stale} Look at what changed before you publish.")
            return None
        except Invalid as invalid:
            messages.error(request, " ".join(str(one) for one in invalid.problems[:3]))
            return None
        messages.success(request, f"Version {version.number} of “{journey.name}” is live.")
        return self._to_map(journey)

    def take_back(self, request: HttpRequest, pk: int, relocation: int) -> HttpResponse:
        """Put back whom the publication of a version moved."""
        journey = find(self.admin, request, pk, "publish")
        move = Relocation.objects.filter(journey=journey, pk=relocation).first()
        if move is None or request.method != "POST":
            raise Http404
        if publishing.take_back(move, by=request.user, at=now()):  # type: ignore[arg-type]
            messages.success(request, "Those who have not gone on since are put back.")
        else:
            messages.error(request, "It is too late to take that back.")
        return self._to_map(journey)

    # --- pausing ---

    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Pause at once: that is never wrong."""
        journey = find(self.admin, request, pk, "publish")
        if request.method != "POST":
            raise Http404
        if publishing.pause(journey, by=request.user, at=now()):  # type: ignore[arg-type]
            said = "is paused. Nobody moves on, and who would enter meanwhile does not enter."
            messages.success(request, f"“{journey.name}” {said}")
        return self._to_map(journey)

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What is overdue, and what becomes of it; resumed by a POST."""
        journey = find(self.admin, request, pk, "publish")
        moment = now()
        if request.method == "POST":
            how = request.POST.get("how", "now")
            problem = ""
            over = timedelta()
            if how == "spread":
                try:
                    over = parse_duration(request.POST.get("over", ""))
                except ValueError as error:
                    problem = str(error)
            if not problem and how in ("now", "spread", "drop"):
                count = publishing.resume(
                    journey,
                    by=request.user,  # type: ignore[arg-type]
                    at=moment,
                    how=how,  # type: ignore[arg-type]
                    over=over,
                )
                self._resumed(request, journey, how, over, count)
                return self._to_map(journey)
            messages.error(request, problem or "Choose what becomes of those who are overdue.")
        definition = journey.live_version.definition if journey.live_version else None
        cards = read_nodes(definition, names_in(definition))
        found = publishing.overdue(journey, moment)
        return self._page(
            request,
            "resume",
            journey,
            f"Resume {journey.name}",
            overdue=found,
            rows=[(cards[key].words if key in cards else key, n) for key, n in found.nodes],
        )

    @staticmethod
    def _resumed(
        request: HttpRequest, journey: Journey, how: str, over: timedelta, count: int
    ) -> None:
        if count < 0:
            messages.warning(request, f"“{journey.name}” was not paused.")
            return
        people = f"{count:,} overdue {'person' if count == 1 else 'people'}"
        said = {
            "now": f"{people} go on now.",
            "spread": f"{people} go on over the next {words_duration(over)}." if over else "",
            "drop": f"{people} left the journey.",
        }[how]
        messages.success(request, f"“{journey.name}” is live again. {said if count else ''}")

    # --- the others ---

    def archive(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How many would end; archived by a POST."""
        journey = find(self.admin, request, pk, "publish")
        if request.method == "POST":
            publishing.archive(journey, by=request.user, at=now())  # type: ignore[arg-type]
            messages.success(request, f"“{journey.name}” is archived.")
            return self._to_map(journey)
        people = sum(one.people for one in publishing.standing(journey, journey.draft))
        return self._page(request, "archive", journey, f"Archive {journey.name}", people=people)

    def duplicate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A copy as a new draft."""
        journey = find(self.admin, request, pk)
        if request.method != "POST" or not self.admin.has_add_permission(request):
            raise PermissionDenied
        made = publishing.duplicate(journey, by=request.user, at=now())  # type: ignore[arg-type]
        messages.success(request, f"“{made.name}” is a copy that nobody is on yet.")
        return self._to_map(made)

    def versions(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All versions, newest first, with what each changed."""
        journey = find(self.admin, request, pk)
        moment = now()
        rows = list(journey.versions.select_related("published_by").order_by("-number"))
        older = [*rows[1:], None]
        names = names_in(*(version.definition for version in rows))
        return self._page(
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
            relocations=[
                (move, publishing.may_take_back(move, moment))
                for move in journey.relocations.select_related("version", "made_by")[:20]
            ],
            may_publish=_may(request, "publish"),
        )

    def version(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """One version as a picture."""
        journey = find(self.admin, request, pk)
        version = self._version(journey, number)
        return self._page(
            request,
            "version",
            journey,
            f"{journey.name}, version {number}",
            version=version,
            picture=maps.make(draw(version.definition, names=names_in(version.definition))),
            may_change=self.admin.has_change_permission(request, journey),
        )

    @staticmethod
    def _version(journey: Journey, number: int) -> Version:
        version = journey.versions.filter(number=number).first()
        if version is None:
            raise Http404
        return version

    def restore(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """Make the draft what a version was."""
        journey = find(self.admin, request, pk, "change")
        if request.method != "POST":
            raise Http404
        version = self._version(journey, number)
        publishing.restore(version, by=request.user, at=now())  # type: ignore[arg-type]
        said = f"The draft is version {number} again. Publish it to make it live."
        messages.success(request, said)
        return self._to_map(journey)

    # --- by hand ---

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
                return self._to_map(journey)
        return self._page(
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


def _placed(problem: Any, cards: Mapping[str, Card]) -> dict[str, str]:
    key = card_of(problem.place, cards) or ""
    words = cards[key].words if key in cards else "The start" if key else ""
    return {"key": key, "words": words, "message": said(problem), "hint": problem.hint}


def _may(request: HttpRequest, what: str) -> bool:
    return request.user.has_perm(f"journeys.{what}_journey")
