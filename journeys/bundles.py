"""What a journey file carries, into the installation, and what a journey refers to, into a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from contacts import conditions, segments
from contacts.models import Contact, Membership, Segment
from contacts.problems import Invalid, Problems
from journeys import files, plans
from journeys.definition import BODIES, Definition, SegmentSection, read
from journeys.lint import lint
from journeys.models import Journey
from journeys.publishing import create, publish, save_draft
from journeys.publishing.drafts import SECTIONS
from journeys.publishing.history import By
from messaging.models import Template, Topic


@dataclass(frozen=True)
class Imported:
    """What an import did: the journey, whether it is new, what looks wrong, and what was kept."""

    journey: Journey
    is_new: bool
    warnings: Problems
    templates: int
    segments: int
    topics: int
    #: What the installation had under the same slug, and what stayed as it was.
    kept: list[str] = field(default_factory=list)


def check(text: str) -> Problems:
    """All that is wrong with a journey file, or looks wrong, with lines."""
    return _examine(text)[2]


def _examine(text: str) -> tuple[Definition | None, Any, Problems]:
    problems = Problems()
    source = files.read_source(text, problems)
    if source is None:
        return None, None, problems
    definition = read(source.data, plans.installed(), problems)
    if definition is not None:
        lint(definition, problems)
    located = source.locate(problems)
    return (None if located.errors else definition), source.data, located


def take_in(
    text: str,
    *,
    by: By = None,
    at: datetime,
    publish_it: bool = False,
    replacing: bool = True,
) -> Imported:
    """Import a journey file: what it carries, and the journey as a draft, or published.

    What is there under the same slug is replaced; or, not ``replacing``, it stays as it is and the
    journey gets a free slug and name. All happens in one transaction, or nothing does. Raises
    Invalid with all that is wrong with the file.
    """
    definition, data, problems = _examine(text)
    if definition is None:
        raise Invalid(problems)
    draft = {key: value for key, value in data.items() if key not in SECTIONS}
    kept: list[str] = []
    with transaction.atomic():
        if not replacing:
            definition, kept = _without_known(definition)
            draft |= {"journey": free_slug(definition.slug), "name": free_name(definition.name)}
        _topics(definition)
        _templates(definition)
        _segments(definition, at)
        journey, is_new = _journey(draft, by, at)
        if publish_it:
            publish(journey, by=by, at=at, revision=journey.draft_revision)
    return Imported(
        journey,
        is_new,
        problems,
        len(definition.templates),
        len(definition.segments),
        len(definition.topics),
        kept,
    )


def _journey(draft: dict[str, Any], by: By, at: datetime) -> tuple[Journey, bool]:
    journey = Journey.objects.select_for_update().filter(slug=draft["journey"]).first()
    if journey is None:
        return create(draft, by=by, at=at), True
    return save_draft(journey, draft, by=by, at=at, revision=journey.draft_revision), False


def _without_known(definition: Definition) -> tuple[Definition, list[str]]:
    """Without what the installation has under the same slug; and what that is called."""
    models: dict[str, Any] = {"templates": Template, "segments": Segment, "topics": Topic}
    fresh: dict[str, Any] = {}
    kept: list[str] = []
    for section, model in models.items():
        carried = getattr(definition, section)
        known = set(model.objects.filter(slug__in=carried).values_list("slug", flat=True))
        kept += [one.name for slug, one in carried.items() if slug in known]
        fresh[section] = {slug: one for slug, one in carried.items() if slug not in known}
    return replace(definition, **fresh), kept


def free_slug(wish: str) -> str:
    """``wish``, or with a number behind it where it is taken."""
    taken = set(Journey.objects.filter(slug__startswith=wish[:90]).values_list("slug", flat=True))
    return _free(wish, taken, f"{wish[:90]}-")


def free_name(wish: str) -> str:
    """``wish``, or with a number behind it where a journey is called so already."""
    taken = set(Journey.objects.filter(name__startswith=wish[:190]).values_list("name", flat=True))
    return _free(wish, taken, f"{wish[:190]} ")


def _free(wish: str, taken: set[str], stem: str) -> str:
    free, number = wish, 2
    while free in taken:
        free, number = f"{stem}{number}", number + 1
    return free


def _topics(definition: Definition) -> None:
    for slug, section in definition.topics.items():
        Topic.objects.update_or_create(
            slug=slug, defaults={"name": section.name, "subscribed_by_default": section.subscribed}
        )


def _templates(definition: Definition) -> None:
    for slug, section in definition.templates.items():
        bodies = {name: section.bodies.get(name, "") for name in BODIES}
        Template.objects.update_or_create(
            slug=slug, defaults={"name": section.name, "subject": section.subject, **bodies}
        )


def _segments(definition: Definition, at: datetime) -> None:
    """Segments after those they are built on, so that each is counted on what is there."""
    parsed = {
        slug: None if section.when is None else conditions.parse_segment(section.when)
        for slug, section in definition.segments.items()
    }
    for slug in conditions.in_order(parsed):
        section = definition.segments[slug]
        segment, _ = Segment.objects.update_or_create(
            slug=slug, defaults={"name": section.name, "condition": section.when}
        )
        if section.members is not None:
            _members(segment, section, at)
    for slug in conditions.in_order(parsed):
        segments.recount(Segment.objects.get(slug=slug), at)


def _members(segment: Segment, section: SegmentSection, at: datetime) -> None:
    """Make a static segment's members those of the file, as far as they are known."""
    contacts = Contact.objects.filter(external_id__in=section.members or ())
    wanted = set(contacts.values_list("pk", flat=True))
    there = set(
        Membership.objects.filter(segment=segment, left_at=None).values_list(
            "contact_id", flat=True
        )
    )
    # Quietly: who is in the segment when a journey goes live does not enter.
    segments.add(segment, wanted - there, at=at, quiet=True)
    segments.remove(segment, there - wanted, at=at)


# out


def write(journey: Journey, *, bundle: bool = False) -> str:
    """The journey's draft as a file; with ``bundle`` it carries what it refers to."""
    data = {"name": journey.name, **journey.draft, "journey": journey.slug}
    if bundle:
        data |= _carried(data)
    return files.write(files.arranged(data))


def _carried(data: Mapping[str, Any]) -> dict[str, Any]:
    """The sections for what a draft refers to and the installation has."""
    definition = read(dict(data), plans.installed(), Problems())
    if definition is None:
        return {}
    slugs = definition.segment_slugs()
    topics = {slug for one in definition.conditions() for slug in one.looks_at().topics}
    templates: set[str] = set()
    for node in definition.nodes.values():
        for setting, catalog in node.kind.references().items():
            named = {str(node.kind.config[setting])} if node.kind.config.get(setting) else set()
            templates |= named if catalog == "templates" else set()
            topics |= named if catalog == "topics" else set()
            slugs |= named if catalog == "segments" else set()
    rows = {row.slug: row for row in Segment.objects.all()}
    parsed = {
        slug: None if row.condition is None else conditions.parse_segment(row.condition)
        for slug, row in rows.items()
    }
    slugs = slugs.union(*(conditions.built_on(slug, parsed) for slug in slugs if slug in parsed))
    topics |= {
        topic
        for slug in slugs
        if (condition := parsed.get(slug)) is not None
        for topic in condition.looks_at().topics
    }
    sections = {
        "templates": {
            row.slug: _template(row)
            for row in Template.objects.filter(slug__in=templates).order_by("slug")
        },
        "segments": {slug: _segment(rows[slug]) for slug in sorted(slugs) if slug in rows},
        "topics": {
            row.slug: {
                "name": row.name,
                "default": "subscribed" if row.subscribed_by_default else "unsubscribed",
            }
            for row in Topic.objects.filter(slug__in=topics).order_by("slug")
        },
    }
    return {name: section for name, section in sections.items() if section}


def _template(row: Template) -> dict[str, Any]:
    bodies = {name: getattr(row, name) for name in BODIES if getattr(row, name).strip()}
    return {"name": row.name, "subject": row.subject, **bodies}


def _segment(row: Segment) -> dict[str, Any]:
    if row.condition is not None:
        return {"name": row.name, "when": row.condition}
    members = Membership.objects.filter(
        segment=row, left_at=None, contact__external_id__isnull=False
    )
    ids = members.order_by("contact__external_id").values_list("contact__external_id", flat=True)
    return {"name": row.name, "members": list(ids)}
