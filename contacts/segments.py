"""Who is in a segment: counted by set difference, put in by hand, and how many there were when.

The engine follows each fact by itself; here is what concerns everybody at once. Nothing looks at
contacts one by one: one SELECT, asking the condition once, finds who comes in and who leaves; then
those who became members are one INSERT … SELECT, those who left one UPDATE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, count
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import TruncDate
from django.utils.text import slugify

from contacts import bulk, conditions
from contacts.ingest import insert_facts
from contacts.models import Contact, Fact, Membership, Segment
from contacts.signals import announce, contacts_changed
from contacts.values import format_moment


@dataclass(frozen=True, slots=True)
class Moves:
    """The ids of the contacts that came into a segment and of those that left it."""

    entered: list[int]
    left: list[int]


def members(segment: Segment, now: datetime) -> QuerySet[Contact]:
    """Who is a member now, counted now and not from the stored list."""
    contacts = Contact.objects.order_by()
    if segment.condition is None:
        return contacts.filter(_stored(segment))
    return contacts.filter(conditions.parse_segment(segment.condition).expression(now))


def _stored(segment: Segment) -> Exists:
    """Whether a contact is a member by the stored list."""
    return Exists(
        Membership.objects.filter(segment=segment.pk, left_at=None, contact=OuterRef("pk"))
    )


def recount(segment: Segment, now: datetime) -> Moves:
    """Bring the stored list of a dynamic segment up to date; starts no journey.

    For a segment whose condition was just written or changed: who is a member by that has not
    become one by what they did.
    """
    if segment.condition is None:
        return Moves([], [])
    with transaction.atomic():
        joined, gone = _difference(segment, now)
        left = _returning(*_leave(segment, gone, now)) if gone else []
        entered = _returning(*_join(segment, joined, now)) if joined else []
    return Moves(sorted(entered), sorted(left))


def recount_all(now: datetime) -> dict[str, Moves]:
    """``recount`` of each dynamic segment, by slug."""
    dynamic = Segment.objects.filter(condition__isnull=False)
    return {segment.slug: recount(segment, now) for segment in dynamic}


def _difference(segment: Segment, now: datetime) -> tuple[list[int], list[int]]:
    """Who is missing in the stored list, and who is in it wrongly.

    EXCEPT, as the database sorts or hashes for it whatever it believes of the tables' sizes: NOT
    EXISTS became a loop over all members for each of them where a list had just been begun.
    """
    condition, params = _compiled(members(segment, now).values("pk"))
    with _connection(Membership).cursor() as cursor:
        cursor.execute(
            f"WITH due(id) AS MATERIALIZED ({condition}), stored(id) AS MATERIALIZED ("  # noqa: S608
            f" SELECT contact_id FROM {_table(Membership)}"
            " WHERE segment_id = %s AND left_at IS NULL)"
            " SELECT id, 1 FROM (SELECT id FROM due EXCEPT SELECT id FROM stored) AS joined"
            " UNION ALL"
            " SELECT id, 0 FROM (SELECT id FROM stored EXCEPT SELECT id FROM due) AS gone",
            [*params, segment.pk],
        )
        found = cursor.fetchall()
    return [pk for pk, comes in found if comes], [pk for pk, comes in found if not comes]


def _join(segment: Segment, ids: list[int], now: datetime) -> tuple[str, Sequence[Any]]:
    columns, sql, params = _selected(
        Contact.objects.order_by().filter(pk__any_of=ids),
        segment_id=Value(segment.pk),
        entered_at=Value(now, models.DateTimeField()),
    )
    return (
        f"INSERT INTO {_table(Membership)} (contact_id, {columns}) {sql}"
        " ON CONFLICT DO NOTHING RETURNING contact_id",
        params,
    )


def _leave(segment: Segment, ids: list[int], now: datetime) -> tuple[str, Sequence[Any]]:
    stored = Membership.objects.filter(segment=segment, left_at=None, contact__id__any_of=ids)
    sql, params = _compiled(stored.order_by().values("pk"))
    # Asked outside once more: whom another has taken out meanwhile keeps the time of that.
    return (
        f"UPDATE {_table(Membership)} SET left_at = %s"  # noqa: S608
        f" WHERE left_at IS NULL AND id IN ({sql}) RETURNING contact_id",
        [_prepared(Membership, "left_at", now), *params],
    )


def recount_hour(hour: datetime) -> int:
    """At a full hour: a fact for each contact whose membership time alone has changed (T5).

    The engine then counts anew for that contact, at ``hour``, and enters it where a journey waits
    for members. Only those who differ from the stored list get a fact. Returns how many.
    """
    segments = Segment.objects.filter(condition__isnull=False)
    parsed = {segment.slug: conditions.parse_segment(segment.condition) for segment in segments}
    hourly = conditions.time_dependent(parsed)
    differing: set[int] = set()
    for segment in segments:
        if segment.slug in hourly:
            differing.update(*_difference(segment, hour))
    if not differing:
        return 0
    contacts = Contact.objects.order_by().filter(pk__any_of=sorted(differing))
    columns, sql, params = _selected(
        contacts,
        kind=Value(Fact.Kind.RECOUNT.value),
        payload=Value({"at": format_moment(hour)}, models.JSONField()),
        received_at=Value(hour, models.DateTimeField()),
        error=Value(""),
    )
    statement = f"INSERT INTO {_table(Fact)} (contact_id, {columns}) {sql}"
    with _connection(Fact).cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


# Statements that Django has no word for


def _connection(model: type[models.Model]) -> Any:
    return connections[router.db_for_write(model)]


def _table(model: type[models.Model]) -> str:
    return str(_connection(model).ops.quote_name(model._meta.db_table))


def _prepared(model: type[models.Model], name: str, value: Any) -> Any:
    field = model._meta.get_field(name)
    return field.get_db_prep_save(value, _connection(model))  # type: ignore[union-attr]


def _compiled(rows: QuerySet[Any, Any]) -> tuple[str, Sequence[Any]]:
    return rows.query.get_compiler(connection=_connection(rows.model)).as_sql()


def _selected(contacts: QuerySet[Contact], **columns: Value) -> tuple[str, str, Sequence[Any]]:
    """A SELECT of the contacts' ids and the same value for all in each further column."""
    given = {f"set_{name}": value for name, value in columns.items()}
    sql, params = _compiled(contacts.annotate(**given).values_list("pk", *given))
    return ", ".join(columns), sql, params


def _returning(sql: str, params: Sequence[Any]) -> list[int]:
    with _connection(Membership).cursor() as cursor:
        cursor.execute(sql, params)
        return [row[0] for row in cursor.fetchall()]


# By hand


def make(name: str) -> Segment:
    """A new static segment with nobody in it; its slug is made of its name."""
    wish = slugify(name)[:90] or "segment"
    taken = set(Segment.objects.filter(slug__startswith=wish).values_list("slug", flat=True))
    slugs = chain([wish], (f"{wish}-{number}" for number in count(2)))
    return Segment.objects.create(slug=next(one for one in slugs if one not in taken), name=name)


def add(
    segment: Segment, contact_ids: Iterable[int], *, at: datetime, quiet: bool = False
) -> list[int]:
    """Put contacts into a static segment; who comes in new is a change, and is returned.

    ``quiet``: journeys that wait for members of the segment do not start by it.
    """
    _must_be_static(segment)
    with transaction.atomic():
        ids = _lock(contact_ids)
        inside = set(
            Membership.objects.filter(segment=segment, left_at=None, contact__in=ids).values_list(
                "contact_id", flat=True
            )
        )
        new = [pk for pk in ids if pk not in inside]
        bulk.insert(
            Membership,
            [{"segment_id": segment.pk, "contact_id": pk, "entered_at": at} for pk in new],
        )
        payload: dict[str, Any] = {"joined": [segment.pk], **({"quiet": True} if quiet else {})}
        insert_facts([(pk, Fact.Kind.CHANGE, None, payload) for pk in new], at=at)
        announce(contacts_changed, new)
    return new


def remove(segment: Segment, contact_ids: Iterable[int], *, at: datetime) -> list[int]:
    """Take contacts out of a static segment; who was in it is a change, and is returned."""
    _must_be_static(segment)
    with transaction.atomic():
        ids = _lock(contact_ids)
        open_ = Membership.objects.filter(segment=segment, left_at=None, contact__in=ids)
        gone = sorted(open_.values_list("contact_id", flat=True))
        open_.update(left_at=at)
        insert_facts([(pk, Fact.Kind.CHANGE, None, {}) for pk in gone], at=at)
        announce(contacts_changed, gone)
    return gone


def _must_be_static(segment: Segment) -> None:
    if segment.condition is not None:
        raise ValueError(f"“{segment}” has its members by a condition.")


def _lock(contact_ids: Iterable[int]) -> list[int]:
    contacts = Contact.objects.filter(pk__in=set(contact_ids)).order_by("pk")
    return list(contacts.select_for_update(no_key=True).values_list("pk", flat=True))


# How many


def size(segment: Segment) -> int:
    """How many members the stored list has."""
    return Membership.objects.filter(segment=segment, left_at=None).count()


def sizes(segment: Segment, *, until: date, days: int = 30) -> list[tuple[date, int]]:
    """How many members it had at the end of each of the last days (UTC), the oldest first."""
    first = until - timedelta(days=days - 1)
    came = _by_day(segment, "entered_at")
    went = _by_day(segment, "left_at")
    count = sum(n for day, n in came.items() if day < first)
    count -= sum(n for day, n in went.items() if day < first)
    found = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        count += came.get(day, 0) - went.get(day, 0)
        found.append((day, count))
    return found


def _by_day(segment: Segment, column: str) -> Mapping[date, int]:
    rows = (
        Membership.objects.filter(segment=segment, **{f"{column}__isnull": False})
        .annotate(day=TruncDate(column))
        .values_list("day")
        .annotate(number=Count("pk"))
        .order_by()
    )
    return dict(rows)
