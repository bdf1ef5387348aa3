"""The map: a journey's change page, and what it asks the server while one edits.

The browser holds the draft; each change is sent whole, with the revision it was made on. The
server saves it, says what is wrong, and lays the map out anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse

from contacts.admin import periods
from contacts.clock import now
from contacts.problems import Problem
from journeys import bundles, publishing, reports
from journeys.admin import drafts, maps
from journeys.admin.mails import Mails
from journeys.admin.panels import Catalogue, Panel, described, ways_of
from journeys.models import Journey
from journeys.naming import names_in
from journeys.nodes import kinds
from journeys.picture import Picture, draw
from journeys.timing import ago

#: What the history calls a draft that was kept although somebody else had saved one.
INSTEAD = "Kept this draft instead of one that was saved meanwhile."
#: How long the map offers to take a move of people back; the page of versions does so for longer.
OFFERED = timedelta(hours=1)
#: The period for which numbers are shown where none is chosen.
PERIOD = "7d"


def find(model_admin: Any, request: HttpRequest, pk: str | int, need: str = "view") -> Journey:
    """The journey, if it is there and the reader may do that with it."""
    chosen = Journey.objects.select_related("live_version", "draft_saved_by")
    journey = chosen.filter(pk=pk).first() if str(pk).isdecimal() else None
    if journey is None:
        raise Http404
    if need in ("view", "change"):
        allowed = getattr(model_admin, f"has_{need}_permission")(request, journey)
    else:
        allowed = request.user.has_perm(f"journeys.{need}_journey")
    if not allowed:
        raise PermissionDenied
    return journey


def picture_of(journey: Journey, draft: Any) -> Picture:
    """The picture of a draft with its problems."""
    return draw(
        draft,
        publishing.problems(draft),
        numbers=journey.live_version_id is not None,
        names=names_in(draft),
    )


def state(journey: Journey, draft: Any, editable: bool, moment: datetime) -> dict[str, Any]:
    """What the browser is told after opening and after each change."""
    picture = picture_of(journey, draft)
    return {
        "draft": draft,
        "revision": journey.draft_revision,
        "cards": {
            key: {
                "kind": card.kind,
                "label": card.label,
                "icon": card.icon,
                "words": card.words,
                "subtitle": card.subtitle or card.label,
                "outcomes": list(card.outcomes.items()),
                "ways": ways_of(card),
                "problems": [_problem(one) for one in card.problems],
            }
            for key, card in picture.cards.items()
        },
        "problems": [_problem(one) for one in picture.problems],
        "errors": sum(card.errors for card in picture.cards.values())
        + sum(one.level == "error" for one in picture.problems),
        "warnings": sum(
            one.level != "error" for card in picture.cards.values() for one in card.problems
        )
        + sum(one.level != "error" for one in picture.problems),
        "saved": saved_words(journey, moment),
        **publishable(journey),
        "html": maps.html(picture, editable),
        "boxes": {
            key: [box.x, box.y, box.width, box.height] for key, box in picture.layout.boxes.items()
        },
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {
        "place": problem.place,
        "message": said(problem),
        "hint": problem.hint,
        "level": problem.level,
    }


#: What is said on the map of a part that is not there; files say only that it is missing.
MISSING = {
    "start": "Add the first step: press the plus below the start.",
    "trigger": "Choose what starts this journey.",
    "entry": "Choose what starts this journey.",
    "when": "Add a condition.",
    "template": "Choose what is sent.",
    "event": "Name the event.",
    "attribute": "Name the attribute.",
    "set": "Name an attribute to set.",
    "url": "Give the address to call.",
}


def said(problem: Problem) -> str:
    """A problem's message as somebody says it who looks at the map."""
    if problem.message != "Is missing.":
        return problem.message
    part = problem.place.rsplit(".", 1)[-1]
    return MISSING.get(part, f"Give the {part.replace('_', ' ')}.")


def saved_words(journey: Journey, moment: datetime) -> str:
    """When the draft was saved last, and by whom."""
    if journey.draft_saved_at is None:
        return "Not saved yet"
    who = journey.draft_saved_by
    by = f" by {who.get_full_name() or who.get_username()}" if who else ""
    return f"Saved {ago(journey.draft_saved_at, moment)}{by}"


def publishable(journey: Journey) -> dict[str, bool]:
    """Whether the draft differs from what is live, and whether there is anything to publish."""
    changed = publishing.unpublished(journey)
    return {"unpublished": changed, "publishable": changed or journey.live_version_id is None}


def other_words(journey: Journey, reader: Any, moment: datetime) -> str:
    """What is told to somebody who has an older draft open: who saved the draft, and when."""
    when = ago(journey.draft_saved_at, moment) if journey.draft_saved_at else "just now"
    who = journey.draft_saved_by
    if who is None or who.pk == reader.pk:
        return f"This journey was saved in another window {when}."
    return f"{who.get_full_name() or who.get_username()} saved this journey {when}."


class Builder:
    """The pages of the map, for one ModelAdmin."""

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        wrap: Callable[..., Any] = self.admin.admin_site.admin_view
        return [
            path("<int:pk>/save/", wrap(self.save), name="journeys_journey_save"),
            path("<int:pk>/panel/", wrap(self.panel), name="journeys_journey_panel"),
            path("<int:pk>/numbers/", wrap(self.numbers), name="journeys_journey_numbers"),
            path("<int:pk>/draft/", wrap(self.draft), name="journeys_journey_draft"),
            path("<int:pk>/map.svg", wrap(self.svg), name="journeys_journey_svg"),
            path("<int:pk>/file.yaml", wrap(self.file), name="journeys_journey_file"),
            *Mails(self.admin).urls(),
        ]

    # --- the page ---

    def page(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The change page."""
        journey = find(self.admin, request, pk)
        editable = self.admin.has_change_permission(request, journey)
        editable = editable and journey.status != Journey.Status.ARCHIVED
        moment = now()
        user = request.user
        context = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "title": journey.name,
            "original": journey,
            "media": self.admin.media + _condition_media(),
            "is_fullwidth": "1",
            "journey": journey,
            "editable": editable,
            "may_publish": user.has_perm("journeys.publish_journey"),
            "may_enter": user.has_perm("journeys.enter_journey"),
            "may_add": self.admin.has_add_permission(request),
            "may_delete": self.admin.has_delete_permission(request, journey),
            "last_move": publishing.last_move(journey, moment, OFFERED),
            "periods": [(key, words) for key, (words, _) in periods.PERIODS.items()],
            "state": {
                **state(journey, journey.draft or {}, editable, moment),
                "editable": editable,
                "live": journey.live_version_id is not None,
                "status": journey.status,
                "kinds": [
                    described(kind)
                    for kind in sorted(kinds().values(), key=lambda kind: kind.order)
                ],
                "names": Catalogue().as_json(),
                "urls": _urls(journey),
            },
        }
        return TemplateResponse(request, "journeys/builder/page.html", context)

    # --- while one edits ---

    def save(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Save a draft: ``{draft, revision}`` in, the new state out; 409 where it is too late."""
        journey = find(self.admin, request, pk, "change")
        sent = _sent(request)
        moment = now()
        assert isinstance(request.user, User)
        draft = drafts.tidied(sent.get("draft"), journey.slug)
        revision = sent.get("revision")
        revision = revision if isinstance(revision, int) else -1
        try:
            saved = publishing.save_draft(
                journey,
                draft,
                by=request.user,
                at=moment,
                revision=revision,
                said=INSTEAD if sent.get("instead") is True else publishing.CHANGED,
            )
        except publishing.Stale as stale:
            words = other_words(stale.journey, request.user, moment)
            told = {"revision": stale.journey.draft_revision, "other": words}
            return JsonResponse(told, status=409)
        saved.live_version = journey.live_version
        return JsonResponse(state(saved, draft, True, moment))

    def draft(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The draft as it is now, to take over what somebody else saved."""
        journey = find(self.admin, request, pk)
        editable = self.admin.has_change_permission(request, journey)
        return JsonResponse(state(journey, journey.draft or {}, editable, now()))

    def panel(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The panel of a card of the draft that is sent: ``{draft, key}`` in, HTML out."""
        journey = find(self.admin, request, pk)
        sent = _sent(request)
        draft = sent.get("draft")
        if not isinstance(draft, dict):
            return JsonResponse({}, status=400)
        editable = self.admin.has_change_permission(request, journey)
        panel = Panel(request, drafts.tidied(draft, journey.slug), str(sent.get("key")))
        return HttpResponse(panel.html(editable))

    def numbers(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """What goes on at each node in a period, and whether somebody else saved the draft."""
        journey = find(self.admin, request, pk)
        moment = now()
        period = request.GET.get(periods.PARAMETER, "")
        period = period if period in periods.PERIODS else PERIOD
        since = periods.since(period, moment)
        return JsonResponse(
            {
                "nodes": reports.as_json(reports.nodes(journey, since)),
                "entered": reports.entered(journey, since),
                "refused": reports.refusals(journey, since),
                "revision": journey.draft_revision,
                "other": other_words(journey, request.user, moment),
                **publishable(journey),
                "lists": _lists(request, journey, period),
            }
        )

    def svg(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The map as an SVG file."""
        journey = find(self.admin, request, pk)
        text = maps.svg(draw(journey.draft or {}, names=names_in(journey.draft)), journey.name)
        return _attachment(text, "image/svg+xml", f"{journey.slug}.svg")

    def file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The draft as a journey file."""
        journey = find(self.admin, request, pk)
        text = bundles.write(journey, bundle="bundle" in request.GET)
        return _attachment(text, "text/yaml", f"{journey.slug}.yaml")


def _lists(request: HttpRequest, journey: Journey, period: str) -> dict[str, str]:
    """Where the numbers lead: to the rows they count, in lists that the reader may see."""
    rows = {
        "people": ("journeys", "enrollment", journey.pk),
        "refusals": ("journeys", "refusal", journey.pk),
        "mails": ("messaging", "message", journey.slug),
    }
    return {
        name: f"{reverse(f'admin:{app}_{model}_changelist')}?"
        + urlencode({"journey": chosen, periods.PARAMETER: period})
        for name, (app, model, chosen) in rows.items()
        if request.user.has_perm(f"{app}.view_{model}")
    }


def _sent(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise Http404
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError):
        sent = None
    return sent if isinstance(sent, dict) else {}


def _attachment(text: str, kind: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers=headers)


def _reverse(name: str, *args: Any) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def _urls(journey: Journey) -> dict[str, str]:
    of_journey = ("save", "panel", "numbers", "draft", "svg", "file", "publish")
    return {
        **{name: _reverse(f"admin:journeys_journey_{name}", journey.pk) for name in of_journey},
        **Mails.addresses(),
    }


def _condition_media() -> Any:
    from contacts.admin.condition_editor import ConditionWidget

    return ConditionWidget().media
