"""Moving people who are on the way to a new version, and taking that back (V1).

A batch of contacts is locked, brought up to now by the engine, moved in memory, and written: a
fixed number of statements, whatever the number of people.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from contacts import bulk
from journeys import engine, jobs, moves, plans, store, work
from journeys.models import Enrollment, Journey, Relocated, Relocation, Visit
from journeys.nodes.base import Wait
from journeys.plans import Plan
from journeys.publishing.history import By, note
from journeys.world import Passage, Policy, World

log = logging.getLogger(__name__)

#: Contacts in one transaction.
BATCH = 500
#: How long a move can be taken back.
TAKE_BACK = timedelta(days=1)

Status = Enrollment.Status


@dataclass(frozen=True)
class Move:
    """What becomes of those who stand at a node: ``finish`` on the old version, go on at the
    ``same`` node of the new one or at a chosen ``node``, or ``exit``.
    """

    how: Literal["finish", "same", "node", "exit"] = "finish"
    node: str = ""

    @property
    def moves(self) -> bool:
        return self.how != "finish"

    def stored(self) -> dict[str, str]:
        return {"how": self.how, "node": self.node}


@dataclass(frozen=True)
class Standing:
    """How many people stand at a node of a version now, and what became of that node.

    ``state`` compares with a draft: ``same``, ``changed`` (its settings or where it leads),
    ``gone``.
    """

    node: str
    kind: str
    version: int
    people: int
    state: Literal["same", "changed", "gone"]


def standing(journey: Journey, draft: Any) -> list[Standing]:
    """Where people stand, by node and version, the newest version first; one statement."""
    rows = (
        Enrollment.objects.filter(
            journey=journey, status__in=[*Enrollment.OPEN], node__isnull=False
        )
        .values_list("node__key", "node__kind", "version__number", "version_id")
        .annotate(people=Count("pk"))
        .order_by("-version__number", "node__key")
    )
    found = list(rows)
    definitions = dict(
        journey.versions.filter(pk__in={row[3] for row in found}).values_list("pk", "definition")
    )
    nodes = draft.get("nodes", {}) if isinstance(draft, dict) else {}
    return [
        Standing(key, kind, number, people, _state(key, definitions[version], nodes))
        for key, kind, number, version, people in found
    ]


def _state(key: str, old: Any, nodes: Any) -> Literal["same", "changed", "gone"]:
    if key not in nodes:
        return "gone"
    return "same" if old["nodes"].get(key) == nodes[key] else "changed"


# in batches


def pending() -> QuerySet[Relocation]:
    """What is to be worked off; while a journey is paused, nobody is moved."""
    open_ = Relocation.objects.filter(finished_at__isnull=True)
    return open_.exclude(journey__status=Journey.Status.PAUSED).order_by("made_at")


def batch(relocation: Relocation, now: datetime) -> bool:
    """Work off the next batch; whether there may be more."""
    back = relocation.taken_back_at is not None
    ids = _contacts(relocation, back)
    if not ids:
        Relocation.objects.filter(pk=relocation.pk).update(finished_at=now)
        return False
    do = _put_back if back else _relocate
    done, failed = _halving(lambda part: do(relocation, part, now), ids)
    counted = {"put_back": F("put_back") + done} if back else {"moved": F("moved") + done}
    Relocation.objects.filter(pk=relocation.pk).update(
        position=ids[-1], failed=F("failed") + failed, **counted
    )
    relocation.position = ids[-1]
    return True


def _contacts(relocation: Relocation, back: bool) -> list[int]:
    """The contacts of the next batch."""
    if back:
        rows = Enrollment.objects.filter(relocated__relocation=relocation)
    else:
        rows = Enrollment.objects.filter(
            journey=relocation.journey_id,
            status__in=[*Enrollment.OPEN],
            version__number__lt=relocation.version.number,
            node__key__in=list(relocation.choices),
        )
    later = rows.filter(contact_id__gt=relocation.position).order_by("contact_id")
    return list(later.values_list("contact_id", flat=True).distinct()[:BATCH])


def _halving(do: Callable[[Sequence[int]], int], ids: Sequence[int]) -> tuple[int, int]:
    """Do it for all; where that fails, for each half, until the one at fault is found and left."""
    try:
        return do(ids), 0
    except Exception:
        if len(ids) == 1:
            log.exception("An enrollment of contact %s could not be moved", ids[0])
            return 0, 1
        half = len(ids) // 2
        first, second = _halving(do, ids[:half]), _halving(do, ids[half:])
        return first[0] + second[0], first[1] + second[1]


def _relocate(relocation: Relocation, ids: Sequence[int], now: datetime) -> int:
    with transaction.atomic():
        _write(_brought_up(ids, now))
        world = _load(ids, now)
        plan = plans.load([relocation.version_id])[relocation.version_id]
        moved = _move_all(world, plan, relocation.choices)
        engine.run(world)
        _write(world)
        _write_versions(moved)
        bulk.insert(Relocated, [{**one.row(), "relocation_id": relocation.pk} for one in moved])
    return len(moved)


def _load(ids: Sequence[int], now: datetime) -> World:
    world = store.new_world(now, Policy())
    store.add_people(world, store.lock(ids))
    pending = work.load_facts(world)
    store.load_people(world, pending=pending)
    return world


def _brought_up(ids: Sequence[int], now: datetime) -> World:
    """The contacts with all that happened before the move worked through, in the old version."""
    world = _load(ids, now)
    engine.run(world)
    return world


def _write(world: World) -> None:
    written = store.write(world)
    transaction.on_commit(lambda: jobs.nudge(written))


class _Moved:
    """A passage that is moved, and what it was before."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.key = passage.node or ""
        self.visits = passage.visits_count
        self.visit = passage.visit.pk if passage.visit else None
        self.before = {
            "version_id": passage.plan.version_id,
            "node_id": passage.plan.node_ids[self.key],
            "status": str(passage.status),
            "arrived_at": passage.arrived_at,
            "resume_at": passage.resume_at,
            "resume_outcome": passage.resume_outcome,
            "exclusive": passage.exclusive,
        }

    @property
    def how(self) -> str:
        """``exit``, ``kept`` where it still is in the visit it was in, else ``arrived``."""
        if self.passage.reason == "moved_out":
            return "exit"
        return "kept" if self.passage.visits_count == self.visits else "arrived"

    def row(self) -> dict[str, Any]:
        """What is kept of it, after the move."""
        return {
            **self.before,
            "enrollment_id": self.passage.pk,
            "how": self.how,
            "visits": self.passage.visits_count,
        }


def _move_all(world: World, plan: Plan, choices: Mapping[str, Mapping[str, str]]) -> list[_Moved]:
    moved: list[_Moved] = []
    for person in world.people.values():
        person.now = person.clock = max(world.until, person.clock)
        person.link = 0
        for passage in tuple(person.passages):
            if _is_meant(passage, plan, choices):
                before, choice = _Moved(passage), choices[passage.node or ""]
                if _move(passage, plan, choice["how"], choice["node"] or passage.node or ""):
                    moved.append(before)
        engine.follow(person)
        person.passages = [passage for passage in person.passages if passage.is_open]
    return moved


def _is_meant(passage: Passage, plan: Plan, choices: Mapping[str, Any]) -> bool:
    return (
        passage.is_open
        and passage.plan.journey_id == plan.journey_id
        and passage.plan.version_id < plan.version_id
        and passage.node in choices
    )


def _move(passage: Passage, plan: Plan, how: str, target: str) -> bool:
    """Move a passage; False where the new version has no such node."""
    if how == "exit":
        moves.end(passage, Status.EXITED, "moved_out")
        return True
    if target not in plan.definition.nodes:
        return False
    before = passage.plan.node(passage.node or "").kind
    passage.plan = plan
    passage.touch()
    if target == passage.node and plan.node(target).kind.kind == before.kind:
        _keep_waiting(passage)
    else:
        moves.jump(passage, target)
    return True


def _keep_waiting(passage: Passage) -> None:
    """The wait keeps its beginning, and its deadline is computed anew (V1)."""
    kind = passage.plan.node(passage.node or "").kind
    if passage.resume_outcome in kind.outcomes:
        return
    passage.resume_outcome = ""
    result = kind.planned(passage)
    if isinstance(result, Wait):
        passage.resume_at = result.until
    elif result is not None:
        moves.settle(passage, result)


def _write_versions(moved: Sequence[_Moved]) -> None:
    """What the engine never changes itself: the version, and the node of a visit that goes on."""
    bulk.update(
        Enrollment,
        [
            {"id": one.passage.pk, "version_id": one.passage.plan.version_id}
            for one in moved
            if one.how != "exit"
        ],
        ["version_id"],
    )
    bulk.update(
        Visit,
        [
            {"id": one.visit, "node_id": one.passage.plan.node_ids[one.key]}
            for one in moved
            if one.how == "kept" and one.visit is not None
        ],
        ["node_id"],
    )


# back again


def may_take_back(relocation: Relocation, now: datetime) -> bool:
    """Whether a move can still be taken back."""
    return relocation.taken_back_at is None and now - relocation.made_at <= TAKE_BACK


def put_back_by(moves: Iterable[Relocation], now: datetime) -> dict[int, int]:
    """How many people it would put back to take a move back, by the move's id; one statement.

    Moves that can't be taken back any more are left out, and so are those whose people have all
    gone on.
    """
    offered = [move for move in moves if may_take_back(move, now)]
    counted = dict(_standing_where_put(offered)) if offered else {}
    return {
        move.pk: counted.get(move.pk, 0)
        for move in offered
        if move.pk in counted or move.finished_at is None
    }


def _standing_where_put(moves: Sequence[Relocation]) -> Iterable[tuple[int, int]]:
    """As `_still_there` has it, for whole moves: their ids and how many people."""
    out = Q(how="exit")
    still = Q(enrollment__status=Status.WAITING, enrollment__version=F("relocation__version"))
    left = Q(enrollment__status=Status.EXITED, enrollment__reason="moved_out")
    rows = Relocated.objects.filter(relocation__in=moves, enrollment__visits_count=F("visits"))
    return (
        rows.filter((out & left) | (~out & still))
        .values_list("relocation")
        .annotate(people=Count("pk"))
    )


def last_move(journey: Journey, now: datetime, within: timedelta = TAKE_BACK) -> Relocation | None:
    """The last move of people, where it is not older than ``within`` and would put somebody back
    if it were taken back.
    """
    moves = Relocation.objects.filter(journey=journey, made_at__gte=now - within)
    last = moves.select_related("version").order_by("-made_at").first()
    return last if last is not None and put_back_by([last], now) else None


def take_back(relocation: Relocation, *, by: By = None, at: datetime) -> bool:
    """Put back whom the move has moved and who has not gone on since; False if it is too late."""
    from journeys.publishing import carrying

    with transaction.atomic():
        current = Relocation.objects.select_for_update().get(pk=relocation.pk)
        if not may_take_back(current, at):
            return False
        current.taken_back_at, current.position, current.finished_at = at, 0, None
        current.save(update_fields=["taken_back_at", "position", "finished_at"])
        journey = Journey.objects.get(pk=current.journey_id)
        note(journey, by, at, f"Took back the move of people to version {current.version.number}.")
    carrying.begin(journey, at)
    return True


def _put_back(relocation: Relocation, ids: Sequence[int], now: datetime) -> int:
    with transaction.atomic():
        store.lock(ids)
        rows = [
            row
            for row in relocation.enrollments.filter(enrollment__contact__in=ids)
            .select_related("enrollment")
            .order_by("enrollment_id")
            if _still_there(row, relocation)
        ]
        rows = _without_clashes(rows, relocation.journey_id)
        bulk.update(
            Enrollment,
            [_restored(row) for row in rows],
            ["version_id", "node_id", "status", "arrived_at", "resume_at", "resume_outcome",
             "exclusive", "ended_at", "reason", "visits_count"],
        )  # fmt: skip
        _put_back_visits(rows, now)
    return len(rows)


def _still_there(row: Relocated, relocation: Relocation) -> bool:
    """Whether the enrollment stands where the move put it."""
    enrollment = row.enrollment
    if enrollment.visits_count != row.visits:
        return False
    if row.how == "exit":
        return (enrollment.status, enrollment.reason) == (Status.EXITED, "moved_out")
    return enrollment.status == Status.WAITING and enrollment.version_id == relocation.version_id


def _without_clashes(rows: list[Relocated], journey_id: int) -> list[Relocated]:
    """Without those who have entered again since, where the re-entry rule permits only one."""
    ended = {row.enrollment.contact_id for row in rows if row.how == "exit"}
    taken = set(
        Enrollment.objects.filter(
            journey=journey_id, contact__in=ended, exclusive__isnull=False
        ).values_list("contact_id", "exclusive", "pk")
    )
    return [
        row
        for row in rows
        if not any(
            (contact, exclusive) == (row.enrollment.contact_id, row.exclusive)
            and pk != row.enrollment_id
            for contact, exclusive, pk in taken
        )
    ]


def _restored(row: Relocated) -> dict[str, Any]:
    return {
        "id": row.enrollment_id,
        "version_id": row.version_id,
        "node_id": row.node_id,
        "status": row.status,
        "arrived_at": row.arrived_at,
        "resume_at": row.resume_at,
        "resume_outcome": row.resume_outcome,
        "exclusive": row.exclusive,
        "ended_at": None,
        "reason": "",
        "visits_count": row.visits + (row.how == "arrived"),
    }


def _put_back_visits(rows: Sequence[Relocated], now: datetime) -> None:
    """Visits that were kept or ended by the move go on; who had arrived is back in a new one."""
    last = {row.enrollment_id: row for row in rows}
    visits = Visit.objects.filter(enrollment__in=last).values_list("pk", "enrollment_id", "number")
    stood = [(pk, last[one]) for pk, one, number in visits if number == last[one].visits]
    bulk.update(
        Visit,
        [
            {"id": pk, "node_id": row.node_id, "left_at": None, "outcome": None}
            for pk, row in stood
            if row.how != "arrived"
        ],
        ["node_id", "left_at", "outcome"],
    )
    bulk.update(
        Visit,
        [{"id": pk, "left_at": now} for pk, row in stood if row.how == "arrived"],
        ["left_at"],
    )
    bulk.insert(
        Visit,
        [
            {
                "enrollment_id": row.enrollment_id,
                "number": row.visits + 1,
                "node_id": row.node_id,
                "entered_at": now,
                "left_at": None,
                "outcome": None,
            }
            for row in rows
            if row.how == "arrived"
        ],
    )
