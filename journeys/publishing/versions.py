"""Publishing: a draft becomes a version, which never changes again (V1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from contacts import bulk, conditions, segments
from contacts.models import Segment
from contacts.problems import Invalid, Problem
from journeys.definition import (
    DateTrigger,
    Definition,
    EventTrigger,
    ManualTrigger,
    SegmentTrigger,
)
from journeys.models import (
    DateEntry,
    Edge,
    Journey,
    Node,
    Relocation,
    SegmentUse,
    TopicUse,
    Version,
)
from journeys.publishing import carrying
from journeys.publishing.drafts import Stale, examine
from journeys.publishing.history import By, note, told
from journeys.publishing.relocating import Move
from messaging.models import Template, Topic

KINDS = {
    EventTrigger: Version.Trigger.EVENT,
    SegmentTrigger: Version.Trigger.SEGMENT,
    DateTrigger: Version.Trigger.DATE,
    ManualTrigger: Version.Trigger.MANUAL,
}


def publish(
    journey: Journey,
    *,
    by: By = None,
    at: datetime,
    moves: Mapping[str, Move] | None = None,
    revision: int | None = None,
    comment: str = "",
) -> Version:
    """Make the draft the live version. The journey goes live; a paused one stays paused.

    ``moves`` says of nodes what becomes of those who stand there in older versions; all others
    finish in the version they entered. ``revision`` is the draft's that the publisher has looked
    at. Raises Invalid where the draft has errors, Stale where it has another revision by now.
    """
    with transaction.atomic():
        version = _publish(journey, by, at, revision, comment)
        chosen = {key: move.stored() for key, move in (moves or {}).items() if move.moves}
        if chosen:
            Relocation.objects.create(
                journey_id=journey.pk, version=version, choices=chosen, made_at=at, made_by=by
            )
    carrying.begin(journey, at)
    journey.refresh_from_db()
    return version


def move(
    journey: Journey, moves: Mapping[str, Move], *, by: By = None, at: datetime
) -> Relocation | None:
    """Move people who are in older versions to what is live already; None where nobody is to move.

    ``moves`` as in `publish`. Raises Invalid where nothing is live.
    """
    version = Journey.objects.select_related("live_version").get(pk=journey.pk).live_version
    if version is None:
        raise Invalid([Problem("", "The journey was never published.")])
    chosen = {key: one.stored() for key, one in moves.items() if one.moves}
    if not chosen:
        return None
    with transaction.atomic():
        made = Relocation.objects.create(
            journey_id=journey.pk, version=version, choices=chosen, made_at=at, made_by=by
        )
        note(journey, by, at, f"Moved people to version {version.number}.")
    carrying.begin(journey, at)
    return made


def _publish(journey: Journey, by: By, at: datetime, revision: int | None, comment: str) -> Version:
    current = Journey.objects.select_for_update().get(pk=journey.pk)
    if revision is not None and current.draft_revision != revision:
        raise Stale(current)
    definition, problems = examine(current.draft)
    if definition is None:
        raise Invalid(problems)
    if definition.slug != current.slug:
        raise Invalid([Problem("journey", f"Must be “{current.slug}”, the journey's own name.")])
    if current.status == Journey.Status.ARCHIVED:
        raise Invalid([Problem("", "The journey is archived.", "Duplicate it, and publish that.")])
    before = current.live_version.definition if current.live_version else None
    version = _version(current, definition, by, at, comment)
    _prepare(current, definition, at)
    current.live_version = version
    if current.status == Journey.Status.DRAFT:
        current.status = Journey.Status.LIVE
    current.dates_after = 0 if isinstance(definition.trigger, DateTrigger) else None
    current.save(update_fields=["live_version", "status", "dates_after"])
    changes = told(before, current.draft) if before else ""
    said = f"Published version {version.number}.\n{changes}"
    note(current, by, at, said.strip())
    return version


def _version(
    journey: Journey, definition: Definition, by: By, at: datetime, comment: str
) -> Version:
    """The version with its nodes, edges and uses: a fixed number of statements."""
    trigger = definition.trigger
    slugs = _built_on(definition.segment_slugs())
    found = dict(Segment.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    last = journey.versions.aggregate(last=Max("number"))["last"] or 0
    version = Version.objects.create(
        journey=journey,
        number=last + 1,
        definition=journey.draft,
        trigger=KINDS[type(trigger)],
        trigger_event=trigger.match.event if isinstance(trigger, EventTrigger) else "",
        trigger_segment_id=found[trigger.segment] if isinstance(trigger, SegmentTrigger) else None,
        published_at=at,
        published_by=by,
        note=comment[:500],
    )
    _nodes(version, definition)
    bulk.insert(
        SegmentUse, [{"version_id": version.pk, "segment_id": pk} for pk in sorted(found.values())]
    )
    topics = {slug for one in definition.conditions() for slug in one.looks_at().topics}
    ids = Topic.objects.filter(slug__in=topics).order_by("pk").values_list("pk", flat=True)
    bulk.insert(TopicUse, [{"version_id": version.pk, "topic_id": pk} for pk in ids])
    return version


def _built_on(slugs: set[str]) -> set[str]:
    """The segments with those they are built on."""
    parsed = {
        slug: None if data is None else conditions.parse_segment(data)
        for slug, data in Segment.objects.values_list("slug", "condition")
    }
    return slugs.union(*(conditions.built_on(slug, parsed) for slug in slugs if slug in parsed))


def _nodes(version: Version, definition: Definition) -> None:
    written: dict[str, Any] = version.definition["nodes"]
    ids = {
        "templates": dict(Template.objects.values_list("slug", "pk")),
        "topics": dict(Topic.objects.values_list("slug", "pk")),
    }
    keys = dict(zip(definition.nodes, bulk.reserve(Node, len(definition.nodes)), strict=True))
    rows, edges = [], []
    for key, node in definition.nodes.items():
        config = {name: part for name, part in written[key].items() if name not in ("kind", "next")}
        row = {
            "id": keys[key],
            "version_id": version.pk,
            "key": key,
            "kind": node.kind.kind,
            "config": config,
            "template_id": None,
            "topic_id": None,
        }
        for setting, catalog in node.kind.references().items():
            if catalog in ids and config.get(setting) is not None:
                row[f"{catalog.removesuffix('s')}_id"] = ids[catalog][config[setting]]
        rows.append(row)
        edges += [
            {"source_id": keys[key], "outcome": outcome, "target_id": keys[target]}
            for outcome, target in node.next.items()
        ]
    bulk.insert(Node, rows)
    bulk.insert(Edge, edges)


def _prepare(journey: Journey, definition: Definition, at: datetime) -> None:
    """See to it that only what comes from now on enters (SEMANTICS §2)."""
    trigger = definition.trigger
    if isinstance(trigger, SegmentTrigger):
        segments.recount(Segment.objects.get(slug=trigger.segment), at)
    if not isinstance(trigger, DateTrigger):
        DateEntry.objects.filter(journey=journey, due_at__isnull=False).update(due_at=None)
