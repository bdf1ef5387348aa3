"""Publishing: what would change, who stands where, and what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern

from contacts.clock import now
from contacts.problems import Invalid
from journeys import publishing
from journeys.admin import maps
from journeys.admin.builder import find, said
from journeys.admin.pages import Pages
from journeys.models import Journey, Relocation
from journeys.naming import names_in
from journeys.picture import Card, card_of, difference, draw, draw_changes, read_nodes
from journeys.publishing import Move, Standing


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
    move: str = "same"
    move_words: str = ""
    at_once: int = 0
    #: How many mails at most go out at once where they are moved.
    mails: int = 0

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
    """The choices of the form. ``all`` is finish, everybody, or each; then ``move-NODE`` is finish,
    same, exit or ``to:NODE``.
    """
    chosen = sent.get("all", "each")
    if chosen == "finish":
        return {}
    found = {}
    for stand in known:
        choice = str(sent.get(f"move-{stand.node}", "finish"))
        if chosen == "everybody":
            choice = stand.move
        if choice in ("same", "exit"):
            found[stand.node] = Move(choice)  # type: ignore[arg-type]
        elif choice.startswith("to:"):
            found[stand.node] = Move("node", choice.removeprefix("to:"))
    return found


class Publication(Pages):
    """The page before publishing, and the way back."""

    names = ("publish",)

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        return [*super().urls(), self.route("moves/<int:relocation>/back/", "back")]

    def publish(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would change and who stands where; published by a POST."""
        journey = find(self.admin, request, pk, "publish")
        old = journey.live_version.definition if journey.live_version else None
        nothing_new = old is not None and not publishing.unpublished(journey)
        names = names_in(journey.draft, old)
        drawn = read_nodes(journey.draft, names)
        standing = self._standing(journey, drawn, nothing_new)
        if request.method == "POST":
            chosen = moves(request.POST, standing)
            done = self._publish(request, journey, chosen, set(drawn), nothing_new)
            if done is not None:
                return done
        problems = publishing.problems(journey)
        live = journey.live_version.number if journey.live_version else 0
        return self.page(
            request,
            "publish",
            journey,
            f"Publish {journey.name}",
            errors=[_placed(one, drawn) for one in problems.errors],
            warnings=[_placed(one, drawn) for one in problems if one.level != "error"],
            changes=difference(old, journey.draft, names) if old else None,
            nothing_new=nothing_new,
            stands=standing,
            people=sum(stand.people for stand in standing),
            at_once=sum(stand.at_once for stand in standing if stand.move == "same"),
            mails=sum(stand.mails for stand in standing),
            homeless=[stand for stand in standing if stand.move != "same"],
            targets=[
                (key, card.words, publishing.mails_at(key, journey.draft))
                for key, card in drawn.items()
            ],
            kept=set(drawn),
            picture=maps.make(
                draw_changes(old, journey.draft, problems, names)
                if old
                else draw(journey.draft, problems, names=names)
            ),
            live_number=live,
            next_number=live if nothing_new else live + 1,
        )

    @staticmethod
    def _standing(journey: Journey, drawn: Mapping[str, Card], nothing_new: bool) -> list[Stand]:
        """Where people stand who could move; where nothing is new, those of older versions."""
        found = publishing.standing(journey, journey.draft)
        if nothing_new and journey.live_version is not None:
            found = [one for one in found if one.version < journey.live_version.number]
        numbers = {one.version for one in found}
        versions = journey.versions.filter(number__in=numbers).order_by("number")
        definitions = dict(versions.values_list("number", "definition")) if numbers else {}
        names = names_in(journey.draft, *definitions.values())
        cards = dict(drawn)
        for definition in definitions.values():  # the newest last: a step is called as it is there
            cards.update(read_nodes(definition, names))
        standing = stands(found, cards)
        soon = publishing.over_by_then(journey, found, now())
        for stand in standing:
            newest = definitions[max(stand.versions)]
            target = publishing.nearest(stand.node, newest, journey.draft)
            stand.at_once = soon.get(stand.node, 0)
            if target is None:
                stand.move, stand.move_words = "exit", "leave the journey"
            elif target != stand.node:
                stand.move, stand.move_words = f"to:{target}", f"go on at “{drawn[target].words}”"
                stand.mails = stand.people * publishing.mails_at(target, journey.draft)
            elif stand.at_once:
                stand.mails = stand.at_once * publishing.mails_after(target, journey.draft)
        return standing

    def _publish(
        self,
        request: HttpRequest,
        journey: Journey,
        chosen: Mapping[str, Move],
        kept: Collection[str],
        nothing_new: bool,
    ) -> HttpResponse | None:
        revision = request.POST.get("revision", "")
        unknown = [move.node for move in chosen.values() if move.node and move.node not in kept]
        if unknown:
            messages.error(
                request, f"There is no step “{unknown[0]}” to move people to. Choose again."
            )
            return None
        try:
            if nothing_new:
                return self._move(request, journey, chosen)
            version = publishing.publish(
                journey,
                by=request.user,  # type: ignore[arg-type]
                at=now(),
                moves=chosen,
                revision=int(revision) if revision.isdecimal() else None,
                comment=request.POST.get("comment", ""),
            )
        except publishing.Stale as stale:
            messages.error(request, f"{stale} Look at what changed before you publish.")
            return None
        except Invalid as invalid:
            messages.error(request, " ".join(str(one) for one in invalid.problems[:3]))
            return None
        waits = " It stays paused until you resume it." if journey.status == "paused" else ""
        messages.success(request, f"Version {version.number} of “{journey.name}” is live.{waits}")
        return self.to_map(journey)

    def _move(
        self, request: HttpRequest, journey: Journey, chosen: Mapping[str, Move]
    ) -> HttpResponse:
        """Move people to what is live already."""
        made = publishing.move(journey, chosen, by=request.user, at=now())  # type: ignore[arg-type]
        if made is None:
            messages.info(request, "Nothing was changed since the last version, and nobody moved.")
        else:
            messages.success(request, f"People are moved to version {made.version.number}.")
        return self.to_map(journey)

    def back(self, request: HttpRequest, pk: int, relocation: int) -> HttpResponse:
        """Put back whom the publication of a version moved, after a question."""
        journey = find(self.admin, request, pk, "publish")
        move = journey.relocations.select_related("version").filter(pk=relocation).first()
        if move is None:
            raise Http404
        moment = now()
        if request.method == "POST" and request.POST.get("sure"):
            done = publishing.take_back(move, by=request.user, at=moment)  # type: ignore[arg-type]
            _tell_back(request, journey, move if done else None)
            return self.to_map(journey)
        people = publishing.put_back_by([move], moment).get(move.pk)
        if people is None:
            messages.info(request, "There is nobody whom that would put back.")
            return self.to_map(journey)
        title = f"Take back the move to version {move.version.number}"
        gone = move.moved - people
        return self.page(request, "back", journey, title, move=move, people=people, gone=gone)


def _tell_back(request: HttpRequest, journey: Journey, move: Relocation | None) -> None:
    """Say how many were put back; ``move`` is None where it was too late."""
    if move is None:
        messages.error(request, "It is too late to take that back.")
        return
    move.refresh_from_db()
    if move.finished_at is None:
        paused = journey.status == Journey.Status.PAUSED
        when = "when you resume the journey" if paused else "now; “Versions” says how far it is"
        messages.info(request, f"People are put back {when}.")
        return
    gone = move.moved - move.put_back
    rest = f"; {gone:,} had gone on" if gone else ""
    tell = messages.success if move.put_back else messages.warning
    tell(request, f"{move.put_back:,} of {move.moved:,} put back{rest}.")


def _placed(problem: Any, cards: Mapping[str, Card]) -> dict[str, str]:
    key = card_of(problem.place, cards) or ""
    words = cards[key].words if key in cards else "The start" if key else ""
    return {"key": key, "words": words, "message": said(problem), "hint": problem.hint}
