"""Where a journey begins: with a recipe, a file, a copy of another, or an empty map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from contacts import conditions
from contacts.clock import now
from contacts.problems import Invalid, Problems
from journeys import bundles, files, publishing
from journeys.admin import maps
from journeys.definition import Catalog
from journeys.models import Journey
from journeys.picture import draw, entry_words
from journeys.seen import listed

FOLDER = Path(__file__).resolve().parent.parent / "recipes"
MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class Recipe:
    """A journey that real products ship, as a file to start from."""

    slug: str
    name: str
    description: str
    text: str
    starts: str
    needs: str
    picture: SafeString


@lru_cache(maxsize=1)
def recipes() -> list[Recipe]:
    """All recipes, as their files are read once a process."""
    return [_recipe(file.read_text()) for file in sorted(FOLDER.glob("*.yaml"))]


def _recipe(text: str) -> Recipe:
    loaded = files.load(text, Catalog())
    if loaded.definition is None:
        raise Invalid(loaded.problems)
    data, definition = loaded.data, loaded.definition
    looks = [condition.looks_at() for condition in definition.conditions()]
    looks += [
        conditions.parse_segment(segment.when).looks_at()
        for segment in definition.segments.values()
        if segment.when is not None
    ]
    events = {name for node in definition.nodes.values() for name in node.kind.events()}
    events |= {name for one in looks for name in one.events}
    trigger = data["entry"]["trigger"]
    events |= {trigger["event"]} if "event" in trigger else set()
    if definition.goal_event is not None:
        events.add(definition.goal_event.event)
    attributes = {name for one in looks for name in one.attributes}
    attributes |= {trigger["date"]} if "date" in trigger else set()
    own = {name for name in events if name.startswith("message_")}
    needs = [*_named("event", events - own), *_named("attribute", attributes)]
    words, _ = entry_words(data)
    return Recipe(
        slug=definition.slug,
        name=definition.name,
        description=str(data.get("description", "")),
        text=text,
        starts=words,
        needs=" and ".join(needs),
        picture=mark_safe(maps.thumbnail(draw(data), definition.name)),  # noqa: S308  our drawing
    )


def _named(what: str, names: set[str]) -> list[str]:
    plural = "s" if len(names) > 1 else ""
    return [f"the {what}{plural} {', '.join(sorted(names))}"] if names else []


class Gallery:
    """The page on which one starts, for one ModelAdmin."""

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """The addresses that its buttons send to."""
        wrap = self.admin.admin_site.admin_view
        return [
            path("add/recipe/", wrap(self.from_recipe), name="journeys_journey_add_recipe"),
            path("add/file/", wrap(self.from_file), name="journeys_journey_add_file"),
            path("add/empty/", wrap(self.empty), name="journeys_journey_add_empty"),
            path("add/copy/", wrap(self.copy), name="journeys_journey_add_copy"),
        ]

    def page(
        self, request: HttpRequest, problems: Problems | None = None, status: int = 200
    ) -> HttpResponse:
        """The gallery; with the problems of a file that was refused."""
        if not self.admin.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin.admin_site.each_context(request),
            "model_admin": self.admin,
            "media": self.admin.media,
            "title": "New journey",
            "content_title": "New journey",
            "recipes": recipes(),
            "journeys": Journey.objects.order_by("name").values_list("pk", "name"),
            "problems": problems or [],
            "may_replace": self.admin.has_change_permission(request),
        }
        return TemplateResponse(request, "journeys/gallery.html", context, status=status)

    def _may(self, request: HttpRequest) -> None:
        if not self.admin.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404

    @staticmethod
    def _to_map(journey: Journey) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:journeys_journey_change", args=[journey.pk]))

    def from_recipe(self, request: HttpRequest) -> HttpResponse:
        """A journey from a recipe, under a free slug; what it carries is made where missing."""
        self._may(request)
        wanted = request.POST.get("recipe", "")
        recipe = next((one for one in recipes() if one.slug == wanted), None)
        if recipe is None:
            raise Http404
        try:
            taken = bundles.take_in(recipe.text, by=_user(request), at=now(), replacing=False)
        except Invalid as invalid:
            return self.page(request, invalid.problems, 400)
        return self._to_map(taken.journey)

    def from_file(self, request: HttpRequest) -> HttpResponse:
        """A journey from an uploaded file, under a free slug; or, where that was chosen, the draft
        of the journey with its slug.
        """
        self._may(request)
        replacing = bool(request.POST.get("replace"))
        if replacing and not self.admin.has_change_permission(request):
            raise PermissionDenied
        upload = request.FILES.get("file")
        problems = Problems()
        if upload is None:
            problems.error("", "Choose a file first.")
            return self.page(request, problems, 400)
        if (upload.size or 0) > MOST_BYTES:
            problems.error("", "The file is larger than 4 MB.")
            return self.page(request, problems, 400)
        try:
            text = upload.read().decode("utf-8-sig")
            taken = bundles.take_in(text, by=_user(request), at=now(), replacing=replacing)
        except UnicodeDecodeError:
            problems.error("", "The file is not text in UTF-8.")
            return self.page(request, problems, 400)
        except Invalid as invalid:
            return self.page(request, invalid.problems, 400)
        messages.success(request, " ".join(_said(taken, files.read(text)["journey"])))
        return self._to_map(taken.journey)

    def empty(self, request: HttpRequest) -> HttpResponse:
        """An empty map under a name."""
        self._may(request)
        name = request.POST.get("name", "").strip()[:200] or "New journey"
        data = {
            "journey": bundles.free_slug(slugify(name) or "journey"),
            "name": name,
            "entry": {"reentry": "once"},
            "nodes": {},
        }
        return self._to_map(publishing.create(data, by=_user(request), at=now()))

    def copy(self, request: HttpRequest) -> HttpResponse:
        """A copy of another journey."""
        self._may(request)
        chosen = request.POST.get("journey", "")
        journey = Journey.objects.filter(pk=chosen).first() if chosen.isdecimal() else None
        if journey is None:
            raise Http404
        return self._to_map(publishing.duplicate(journey, by=_user(request), at=now()))


def _user(request: HttpRequest) -> Any:
    return request.user


def _said(taken: bundles.Imported, wish: str) -> Iterator[str]:
    """What became of a file whose journey calls itself ``wish``, in sentences."""
    journey = taken.journey
    if not taken.is_new:
        yield f"“{journey.name}” has the file as its draft."
    elif journey.slug != wish:
        yield f"There is a journey “{wish}” already, so the file became “{journey.slug}”."
    else:
        yield f"“{journey.name}” was made from the file."
    if taken.kept:
        named = listed([f"“{name}”" for name in taken.kept])
        one = "was here already and stays as it is"
        many = "were here already and stay as they are"
        yield f"{named} {one if len(taken.kept) == 1 else many}."
