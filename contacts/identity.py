"""Who is meant: from the ids that came in to contacts, and two contacts into one.

An external id wins, then the address (without regard to case), then the anonymous id. A
``Directory`` answers for a whole batch in memory; what it decides is written by ``save``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections, models, router
from django.db.models.functions import Lower

from contacts import anyof, bulk  # noqa: F401  anyof adds a lookup
from contacts.items import Alias, Identify, Item, Track
from contacts.models import AnonymousId, Contact, Fact, FormerId, Membership, Merge
from contacts.values import json_eq, set_path

#: (winner, loser): the ids of two contacts of which the second goes.
Pair = tuple[int, int]
#: Every row that refers to a loser is made to refer to the winner. Where a unique constraint can
#: stand in the way of that (both have chosen about a topic, both are in a journey), the room that
#: owns the rows adds a function here which clears the way; it is called with the pairs and the
#: moment, in the transaction of the merge, before any row is moved.
mergers: list[Callable[[Sequence[Pair], datetime], None]] = []

FIELDS = ("external_id", "email", "timezone", "language")
#: Ids that nobody has yet are locked by one of so many buckets while their contact is made.
BUCKETS = 512
_LOCK_SPACE = 0x6A6F7572


class Moved(Exception):
    """A contact changed its identity between looking it up and locking it: look again."""


@dataclass(eq=False, slots=True)
class Person:
    """A contact as a batch sees and changes it; ``id`` is None until it is made."""

    external_id: str | None = None
    email: str = ""
    timezone: str = ""
    language: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    id: int | None = None
    changed: bool = False
    merged_into: Person | None = None

    @property
    def pk(self) -> int:
        """The id of its row, which it has by now."""
        if self.id is None:
            raise AssertionError("The contact is not stored yet.")
        return self.id

    @property
    def root(self) -> Person:
        """Who this is after all merges of the batch."""
        person = self
        while person.merged_into is not None:
            person = person.merged_into
        return person

    def set(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Apply what ``update`` may set; returns the difference as ``Fact.payload`` keeps it."""
        fields = {n: v or "" for n, v in changes.items() if n in ("email", "timezone")}
        attributes = dict(self.attributes)
        for name, value in changes.items():
            if name in fields:
                continue
            if "." in name:
                attributes = set_path(attributes, name, value)
            elif value is None:
                attributes.pop(name, None)
            else:
                attributes[name] = value
        return self.become(attributes=attributes, **fields)

    def become(self, **new: Any) -> dict[str, Any]:
        """Take these values as they are; returns the difference as ``Fact.payload`` keeps it."""
        changes: dict[str, Any] = {
            name: {"old": getattr(self, name), "new": new[name]}
            for name in FIELDS
            if name in new and getattr(self, name) != new[name]
        }
        attributes = difference(self.attributes, new.get("attributes", self.attributes))
        for name, value in changes.items():
            setattr(self, name, value["new"])
        if attributes:
            self.attributes = new["attributes"]
            changes["attributes"] = attributes
        self.changed = self.changed or bool(changes)
        return {"changes": changes} if changes else {}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Name → ``{"old": …, "new": …}`` of what differs; what is absent on a side is left out."""
    if not old:
        return {name: {"new": value} for name, value in new.items()}
    found = {}
    for name in [*old, *(name for name in new if name not in old)]:
        if name in old and name in new and json_eq(old[name], new[name]):
            continue
        found[name] = {
            side: values[name] for side, values in (("old", old), ("new", new)) if name in values
        }
    return found


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two payloads of the same contact, one after the other, as one."""
    if not first or not second:
        return first or second
    one, other = dict(first["changes"]), dict(second["changes"])
    attributes = _joined(one.pop("attributes", {}), other.pop("attributes", {}))
    changes = _joined(one, other) | ({"attributes": attributes} if attributes else {})
    return {"changes": changes} if changes else {}


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    if not first:
        return dict(second)
    merged = dict(first)
    for name, change in second.items():
        before = first.get(name, change)
        merged[name] = {
            **({"old": before["old"]} if "old" in before else {}),
            **({"new": change["new"]} if "new" in change else {}),
        }
    return merged


def _as_written(item: Identify, person: Person) -> Mapping[str, Any]:
    """What an item sets, without an address that the person has, be it written otherwise."""
    email = item.set.get("email")
    if item.respell or not email or email.lower() != person.email.lower():
        return item.set
    return {name: value for name, value in item.set.items() if name != "email"}


class Directory:
    """The contacts that a batch means, found and made as its items come one after the other."""

    def __init__(self, received_at: datetime) -> None:
        self.received_at = received_at
        self.by_external: dict[str, Person] = {}
        self.by_email: dict[str, list[Person]] = {}
        self.by_anonymous: dict[str, Person] = {}
        self.known_anonymous: set[str] = set()
        self.linked: dict[str, Person] = {}
        self.known: list[Person] = []
        self.made: list[Person] = []
        self.merges: list[tuple[Person, dict[str, Any]]] = []
        self.former: list[tuple[str, Person]] = []

    # Finding

    def _mailbox(self, email: str | None) -> list[Person]:
        if not email:
            return []
        key = email.lower()
        return [
            person
            for person in self.by_email.get(key, ())
            if person.merged_into is None and person.email.lower() == key
        ]

    def _external(self, value: str) -> Person | None:
        person = self.by_external.get(value)
        return person and person.root

    def _anonymous(self, value: str | None) -> Person | None:
        person = self.by_anonymous.get(value) if value else None
        return person and person.root

    def _first(self, item: Track | Identify) -> Person | None:
        if item.external_id:
            return self._external(item.external_id)
        return next(iter(self._mailbox(item.email)), None) or self._anonymous(item.anonymous_id)

    def who(self, item: Identify) -> Person | None:
        """The contact that ``identify`` would take, if it is there."""
        return self._first(item) or next(iter(self._same(item)), None)

    # Deciding

    def track(self, item: Track) -> tuple[Person, bool]:
        """Who did it, and whether that contact is made by it."""
        person = self._first(item)
        if person:
            return person, False
        person = self._make(item.external_id, item.email if not item.external_id else None)
        if item.anonymous_id and not self._anonymous(item.anonymous_id):
            self._link(item.anonymous_id, person)
        return person, True

    def identify(self, item: Identify) -> tuple[Person, dict[str, Any]]:
        """Who is meant, with the histories joined that turn out to be one, and what changed."""
        person = self._first(item)
        payload: dict[str, Any] = {}
        for other in self._same(item):
            if person is None:
                person = other
            elif other is not person:
                payload = joined(payload, self.merge(person, other))
        if person is None:
            person = self._make(None, None)
            person.created_at = item.created_at or self.received_at
        if item.external_id and item.external_id not in self.by_external:
            payload = joined(payload, self._name(person, item.external_id))
        if item.anonymous_id:
            self._link(item.anonymous_id, person)
        payload = joined(payload, self.set(person, _as_written(item, person)))
        if item.language:
            payload = joined(payload, person.become(language=item.language))
        return person, payload

    def _same(self, item: Identify) -> list[Person]:
        """Contacts without an external id that are the same person by address or by device."""
        people = [person for person in self._mailbox(item.email) if not person.external_id][:1]
        device = self._anonymous(item.anonymous_id)
        if device and not device.external_id and (item.external_id or not device.email):
            people.append(device)
        return people

    def alias(self, item: Alias) -> tuple[Person, dict[str, Any]]:
        """Join what was known under ``previous`` to ``user``, whichever of the two is known."""
        previous = self._anonymous(item.previous) or self._external(item.previous)
        person = self._external(item.user)
        if person and previous:
            return person, self.merge(person, previous) if previous is not person else {}
        if previous:
            former = previous.external_id
            payload = self._name(previous, item.user)
            if former:
                self.former.append((former, previous))
            return previous, payload
        payload = {}
        if person is None:
            person = self._make(None, None)
            payload = self._name(person, item.user)
        self._link(item.previous, person)
        return person, payload

    def set(self, person: Person, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Apply changes; a new address leads to the person from here on."""
        payload = person.set(changes)
        if "email" in payload.get("changes", {}) and person.email:
            self.by_email.setdefault(person.email.lower(), []).append(person)
        return payload

    def merge(self, winner: Person, loser: Person) -> dict[str, Any]:
        """The loser's history becomes the winner's, who keeps what both have."""
        self.merges.append((loser, _row(loser, self.received_at)))
        loser.merged_into = winner
        if loser.external_id:
            self.former.append((loser.external_id, loser))
        gained = {
            name: getattr(winner, name) or getattr(loser, name)
            for name in ("email", "timezone", "language")
        }
        if loser.created_at and winner.created_at and loser.created_at < winner.created_at:
            winner.created_at, winner.changed = loser.created_at, True
        payload = winner.become(attributes={**loser.attributes, **winner.attributes}, **gained)
        if winner.email:
            self.by_email.setdefault(winner.email.lower(), []).append(winner)
        return payload

    def _make(self, external_id: str | None, email: str | None) -> Person:
        person = Person(external_id, email or "", created_at=self.received_at)
        self.made.append(person)
        if external_id:
            self.by_external[external_id] = person
        if email:
            self.by_email.setdefault(email.lower(), []).append(person)
        return person

    def _name(self, person: Person, external_id: str) -> dict[str, Any]:
        self.by_external[external_id] = person
        return person.become(external_id=external_id)

    def _link(self, anonymous_id: str, person: Person) -> None:
        if self._anonymous(anonymous_id) is not person:
            self.by_anonymous[anonymous_id] = self.linked[anonymous_id] = person

    # Reading

    def load(self, items: Sequence[Item], *, mostly_new: bool = False) -> None:
        """Find and lock the contacts that the items mean, in a fixed number of statements.

        ``mostly_new``: most of them are nobody's yet, so that a first look is not worth while.
        Contacts are locked in the order of their ids, ids that nobody has yet by bucket, so that
        no two batches wait for each other. ``Moved`` where another batch was quicker.
        """
        keys = Keys()
        for item in items:
            keys.add(item)
        found = Found() if mostly_new else keys.find()
        missing = keys.missing(found)
        if lock_keys(missing) or mostly_new:
            found = keys.find()
        people = lock(found.contact_ids())
        if found.differs_from(people):
            # Of what is locked by now nothing changes any more, so that a second look holds.
            found = keys.find()
            if found.differs_from(people):
                raise Moved
        if not keys.missing(found) <= missing:
            raise Moved  # somebody lost an id meanwhile, and it is not ours to give
        self._take(found, people)

    def _take(self, found: Found, people: Mapping[int, Person]) -> None:
        self.known += people.values()
        for person in people.values():
            if person.external_id:
                self.by_external[person.external_id] = person
            if person.email:
                self.by_email.setdefault(person.email.lower(), []).append(person)
        for value, pk in found.former.items():
            self.by_external.setdefault(value, people[pk])
        self.by_anonymous.update({value: people[pk] for value, pk in found.anonymous.items()})
        self.known_anonymous = set(found.anonymous)

    # Writing

    def save(self) -> None:
        """Write the contacts that were made, changed and merged; a fixed number of statements."""
        made = [person for person in self.made if person.merged_into is None]
        for person, pk in zip(made, bulk.reserve(Contact, len(made)), strict=True):
            person.id = pk
        # The rows that lose go first: an external id may pass from one to the other.
        self._save_merges()
        bulk.insert(Contact, [_row(person, self.received_at) for person in made])
        changed = [p for p in self.known if p.changed and p.merged_into is None]
        bulk.update(
            Contact,
            [_row(person, self.received_at) for person in changed],
            [*FIELDS, "attributes", "created_at", "updated_at"],
        )
        self._save_links()

    def _save_merges(self) -> None:
        stored = [(loser, row) for loser, row in self.merges if loser.id is not None]
        if stored:
            move_rows([(loser.root.pk, loser.pk) for loser, _ in stored], self.received_at)
            bulk.insert(Merge, [self._merge_row(loser.root, row) for loser, row in stored])
        bulk.insert(
            FormerId,
            [
                {"value": value, "contact_id": person.root.pk}
                for value, person in self.former
                if person.root.external_id != value
            ],
            ignore_conflicts=True,
        )

    def _merge_row(self, winner: Person, loser: dict[str, Any]) -> dict[str, Any]:
        return {
            "contact_id": winner.pk,
            "merged_pk": loser["id"],
            "merged_at": self.received_at,
            "external_id": loser["external_id"] or "",
            **{name: loser[name] for name in ("email", "attributes", "created_at")},
        }

    def _save_links(self) -> None:
        links = {value: person.root.pk for value, person in sorted(self.linked.items())}
        known = [value for value in links if value in self.known_anonymous]
        if known:
            AnonymousId.objects.filter(value__in=known).delete()
        bulk.insert(
            AnonymousId,
            [
                {"value": value, "contact_id": pk, "created_at": self.received_at}
                for value, pk in links.items()
            ],
        )


def _row(person: Person, at: datetime) -> dict[str, Any]:
    return {
        "id": person.id,
        **{name: getattr(person, name) for name in (*FIELDS, "attributes", "created_at")},
        "updated_at": at,
    }


@dataclass(slots=True)
class Found:
    """Which contact has which id, read without a lock."""

    identities: dict[int, tuple[str | None, str]] = field(default_factory=dict)
    anonymous: dict[str, int] = field(default_factory=dict)
    former: dict[str, int] = field(default_factory=dict)

    def contact_ids(self) -> set[int]:
        """Every contact that was found, also one who was gone before its row was read."""
        return {*self.identities, *self.former.values(), *self.anonymous.values()}

    def differs_from(self, people: Mapping[int, Person]) -> bool:
        """Whether a contact that was found is not among the locked ones, or has other ids there."""
        if not self.contact_ids() <= people.keys():
            return True
        return any(
            (people[pk].external_id, people[pk].email) != ids for pk, ids in self.identities.items()
        )


@dataclass(slots=True)
class Keys:
    """The ids that a batch mentions. What is an alias's ``previous`` may be of either kind."""

    external: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    anonymous: set[str] = field(default_factory=set)
    either: set[str] = field(default_factory=set)

    def add(self, item: Item) -> None:
        """Take the ids of one item."""
        if isinstance(item, Alias):
            self.external |= {item.user, item.previous}
            self.anonymous.add(item.previous)
            self.either.add(item.previous)
            return
        if item.external_id:
            self.external.add(item.external_id)
        if item.email and (isinstance(item, Identify) or not item.external_id):
            self.emails.add(item.email.lower())
        if item.anonymous_id:
            self.anonymous.add(item.anonymous_id)

    def find(self) -> Found:
        """Read who has these ids: at most five statements."""
        found = Found()
        contacts = Contact.objects.order_by()
        columns = ("id", "external_id", "email")
        rows: list[tuple[int, str | None, str]] = []
        if self.external:
            rows += contacts.filter(external_id__any_of=self.external).values_list(*columns)
            unknown = self.external - {row[1] for row in rows if row[1]}
            if unknown:
                found.former = dict(
                    FormerId.objects.filter(value__any_of=unknown).values_list(
                        "value", "contact_id"
                    )
                )
        if self.emails:
            mailboxes = contacts.annotate(mailbox=Lower("email")).filter(
                mailbox__any_of=self.emails
            )
            rows += mailboxes.values_list(*columns)
        if self.anonymous:
            found.anonymous = dict(
                AnonymousId.objects.filter(value__any_of=self.anonymous).values_list(
                    "value", "contact_id"
                )
            )
        found.identities = {pk: (external_id, email) for pk, external_id, email in rows}
        others = {*found.former.values(), *found.anonymous.values()} - set(found.identities)
        if others:
            rows = list(contacts.filter(pk__any_of=others).values_list(*columns))
            found.identities.update({pk: (ext, email) for pk, ext, email in rows})
        return found

    def missing(self, found: Found) -> set[str]:
        """The ids that nobody has, each with its kind."""
        external = {ext for ext, _ in found.identities.values() if ext} | set(found.former)
        emails = {email.lower() for _, email in found.identities.values()}
        return {
            *(f"external {value}" for value in self.external - external - self.either),
            *(f"email {value}" for value in self.emails - emails),
            *(f"anonymous {value}" for value in self.anonymous - set(found.anonymous)),
        }


def lock_keys(keys: Collection[str]) -> bool:
    """Wait for whoever is about to make a contact with one of these ids.

    False where nobody can be: SQLite has one writer, and there may be no such ids.
    """
    connection = connections[router.db_for_write(Contact)]
    if connection.vendor != "postgresql" or not keys:
        return False
    buckets = {
        int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % BUCKETS
        for key in keys
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, bucket) FROM"
            " (SELECT unnest(%s::int[]) AS bucket ORDER BY 1 OFFSET 0) AS buckets",
            [_LOCK_SPACE, sorted(buckets)],
        )
    return True


def lock(contact_ids: Iterable[int]) -> dict[int, Person]:
    """The contacts as they are now, locked in the order of their ids; those gone are left out."""
    ids = sorted(set(contact_ids))
    if not ids:
        return {}
    rows = (
        Contact.objects.filter(pk__any_of=ids)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values("id", "created_at", "attributes", *FIELDS)
    )
    return {row["id"]: Person(**row) for row in rows}


def merge(winner_id: int, loser_id: int, *, at: datetime, by: models.Model | None = None) -> None:
    """Join two contacts for good: all the loser's rows become the winner's.

    The winner keeps its own values and takes over those it lacks. Raises ``Contact.DoesNotExist``.
    """
    from contacts.ingest import again

    if winner_id != loser_id:
        again(lambda: _merge(winner_id, loser_id, at, by))


def _merge(winner_id: int, loser_id: int, at: datetime, by: models.Model | None) -> None:
    from contacts.ingest import store_changes

    people = lock([winner_id, loser_id])
    if len(people) < 2:
        raise Contact.DoesNotExist("One of the two contacts is gone.")
    directory = Directory(at)
    winner, loser = people[winner_id], people[loser_id]
    directory.known = [winner]
    payload = directory.merge(winner, loser)
    if not winner.external_id and loser.external_id:
        payload = joined(payload, winner.become(external_id=loser.external_id))
    directory.save()
    if by is not None:
        Merge.objects.filter(contact_id=winner_id, merged_pk=loser_id).update(merged_by=by)
    store_changes([(winner_id, payload)], at=at)


def move_rows(pairs: Sequence[Pair], at: datetime) -> None:
    """Everything of the losers becomes the winners', then the losers' rows go.

    What a loser had still to be worked through keeps its place; a change of it becomes one without
    old and new values, since the old ones are not the winner's.
    """
    losers = [loser for _, loser in pairs]
    forget_changes(pairs)
    close_doubled(pairs, at)
    for merger in mergers:
        merger(pairs, at)
    for relation in Contact._meta.related_objects:
        repoint(relation.related_model, pairs, relation.field.column)
    losing = Contact.objects.filter(pk__in=losers)
    losing._raw_delete(losing.db)  # nothing refers to them any more, so nothing is to be collected


def forget_changes(pairs: Sequence[Pair]) -> None:
    """Leave of the losers' changes what holds for the winners too: segments joined, and quiet.

    Who is in a segment already does not come into it.
    """
    winner_of = {loser: winner for winner, loser in pairs}
    inside = set(
        Membership.objects.filter(contact_id__in=set(winner_of.values()), left_at=None).values_list(
            "contact_id", "segment_id"
        )
    )
    changes = Fact.objects.filter(contact_id__in=list(winner_of), kind=Fact.Kind.CHANGE)
    rows = []
    for pk, loser, payload in changes.values_list("pk", "contact_id", "payload"):
        kept: dict[str, Any] = {"quiet": True} if payload.get("quiet") else {}
        if "joined" in payload:
            winner = winner_of[loser]
            kept["joined"] = [one for one in payload["joined"] if (winner, one) not in inside]
        rows.append({"id": pk, "payload": kept})
    bulk.update(Fact, rows, ["payload"])


def close_doubled(pairs: Sequence[Pair], at: datetime) -> None:
    """Where both are in a segment, or two losers, only the older membership stays open."""
    winner_of = {loser: winner for winner, loser in pairs}
    ids = {*winner_of, *winner_of.values()}
    seen: set[tuple[int, int]] = set()
    doubled = []
    rows = Membership.objects.filter(contact_id__in=ids, left_at=None).order_by("entered_at", "id")
    for pk, contact_id, segment_id in rows.values_list("id", "contact_id", "segment_id"):
        key = (winner_of.get(contact_id, contact_id), segment_id)
        if key in seen:
            doubled.append(pk)
        seen.add(key)
    if doubled:
        Membership.objects.filter(pk__in=doubled).update(left_at=at)


def repoint(model: type[models.Model], pairs: Sequence[Pair], column: str | None) -> None:
    """Set ``column`` of all rows from loser to winner, in one statement."""
    connection = connections[router.db_for_write(model)]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"UPDATE {table} SET {column} = v.winner"  # noqa: S608
                " FROM unnest(%s::bigint[], %s::bigint[]) AS v(winner, loser)"
                f" WHERE {table}.{column} = v.loser",
                [[winner for winner, _ in pairs], [loser for _, loser in pairs]],
            )
        else:
            cursor.executemany(
                f"UPDATE {table} SET {column} = %s WHERE {column} = %s",  # noqa: S608
                list(pairs),
            )
