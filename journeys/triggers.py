"""Facts in: what enrolls a contact, and what ends an enrollment from outside (E1 to E5, G1, G2)."""

from __future__ import annotations

from datetime import date as Date
from datetime import datetime
from hashlib import sha256
from typing import Any

from contacts.values import get_path, json_key, parse_moment
from journeys import moves
from journeys.calendar import instant, later, local_date, shifted
from journeys.definition import DateTrigger, EventTrigger, ManualTrigger, SegmentTrigger
from journeys.fields import DateRule
from journeys.models import Refusal
from journeys.nodes.wait import moment_of
from journeys.plans import Plan, SegmentRule
from journeys.world import HOUR, MOST_OPEN, DateState, Entries, Happening, Passage, Person

# what ends an enrollment


def goal(passage: Passage, happening: Happening | None) -> bool:
    """End the enrollment where its goal is reached by this fact (G1)."""
    definition = passage.plan.definition
    reached = False
    if definition.goal_event is not None:
        reached = happening is not None and definition.goal_event.matches(
            happening.name, happening.properties, passage.trigger, passage.now
        )
    elif definition.goal_condition is not None:
        reached = definition.goal_condition.holds(passage)
    if reached:
        _exit(passage, "goal")
    return reached


def exit_when(passage: Passage) -> bool:
    """End the enrollment where its exit condition holds (G2)."""
    condition = passage.plan.definition.exit_when
    if condition is None or not condition.holds(passage):
        return False
    _exit(passage, "exit_when")
    return True


def ends_by_goal_or_exit(passage: Passage, happening: Happening | None) -> bool:
    """Goal, then exit, of one enrollment alone."""
    return goal(passage, happening) or exit_when(passage)


def _exit(passage: Passage, reason: str) -> None:
    """End it, and cancel what it queued in this batch and nobody has handed over (G1)."""
    moves.end(passage, "exited", reason)
    if not passage.person.world.policy.hands_over:
        for draft in passage.sent:
            if draft.status == "queued":
                draft.status, draft.reason = "cancelled", reason


# what enrolls


def by_event(person: Person, happening: Happening) -> None:
    """Entries by an event, in every journey that it triggers."""
    for plan in person.world.open_plans:
        if plan.starts_with(happening.name):
            _by_event(person, plan, happening)


def _by_event(person: Person, plan: Plan, happening: Happening) -> None:
    trigger = plan.definition.trigger
    assert isinstance(trigger, EventTrigger)
    if trigger.match.matches(happening.name, happening.properties, None, person.now):
        key = get_path(happening.properties, trigger.key) if trigger.key else None
        enter(person, plan, happening=happening, key=_key(key) if trigger.key else "")


def by_hand(person: Person, journey_id: int) -> None:
    """Entry by hand, where the trigger is manual."""
    plan = person.world.plan_of_journey(journey_id)
    if plan is not None and isinstance(plan.definition.trigger, ManualTrigger):
        enter(person, plan)


def again(person: Person, journey_id: int, happening: Happening | None) -> None:
    """Entry of one whom the journey turned away while it was paused (V2), as its trigger is now.

    Who has left the segment since, or whose event is gone or starts nothing any more, stays out.
    """
    plan = person.world.plan_of_journey(journey_id)
    trigger = plan.definition.trigger if plan is not None else None
    if plan is None:
        return
    if isinstance(trigger, EventTrigger):
        if happening is not None and plan.starts_with(happening.name):
            _by_event(person, plan, happening)
    elif isinstance(trigger, SegmentTrigger):
        if trigger.segment in person.members:
            enter(person, plan)
    elif isinstance(trigger, DateTrigger):
        state = person.dates.get(journey_id)
        asked_at = state.asked_at if state is not None else None
        day = local_date(asked_at, person.zone) if asked_at and trigger.rule.at else None
        if (journey_id, day) not in person.local_dates:
            enter(person, plan, local_date=day)
    else:
        enter(person, plan)


def date(person: Person, journey_id: int, due_at: datetime) -> None:
    """Entry by a date, asked once at each moment."""
    state = person.dates[journey_id]
    state.asked_at, state.due_at, state.changed = due_at, None, True
    plan = person.world.plan_of_journey(journey_id)
    if plan is None or not isinstance(plan.definition.trigger, DateTrigger):
        return
    rule = plan.definition.trigger.rule
    day = state.local_date if rule.at is not None else None
    enter(person, plan, local_date=day)
    plan_date(person, plan, rule)


def enter(
    person: Person,
    plan: Plan,
    *,
    happening: Happening | None = None,
    key: str = "",
    local_date: Date | None = None,
) -> Passage | None:
    """Enroll the contact, unless one of E1's conditions fails; the first that does is recorded."""
    reason = _refusal(person, plan, happening, key)
    if reason is not None:
        _refuse(person, plan, happening, reason)
        return None
    passage = Passage(person, plan, person.now)
    passage.trigger = happening.properties if happening else None
    passage.event_id = happening.id if happening else None
    passage.entry_mark = person.position
    passage.key, passage.local_date = key, local_date
    passage.exclusive = _exclusive(plan, key)
    passage.touch()
    if local_date is not None:
        person.local_dates.add((plan.journey_id, local_date))
    entries = person.entries.setdefault((plan.journey_id, key), Entries())
    entries.count, entries.last = entries.count + 1, person.now
    person.passages.append(passage)
    if not exit_when(passage):
        moves.start(passage)
    return passage


def _refusal(person: Person, plan: Plan, happening: Happening | None, key: str) -> str | None:
    """The first of E1's conditions that fails, or None."""
    definition = plan.definition
    if plan.journey_id in person.world.paused:
        return Refusal.Reason.NOT_LIVE
    if not _may_reenter(person, plan, key):
        return Refusal.Reason.REENTRY
    if sum(1 for one in person.passages if _open_in(one, plan)) >= MOST_OPEN:
        return Refusal.Reason.TOO_MANY
    person.trigger = happening.properties if happening else None
    try:
        if definition.filter is not None and not definition.filter.holds(person):
            return Refusal.Reason.FILTER
        if definition.goal_condition is not None and definition.goal_condition.holds(person):
            return Refusal.Reason.GOAL
    finally:
        person.trigger = None
    return None


def _open_in(passage: Passage, plan: Plan) -> bool:
    return passage.is_open and passage.plan.journey_id == plan.journey_id


def _may_reenter(person: Person, plan: Plan, key: str) -> bool:
    """The re-entry rule, among the enrollments with the same key where there is one (E3)."""
    reentry = plan.definition.reentry
    if reentry.rule == "every_time":
        return True
    keyed = _has_key(plan)
    entries = [
        found
        for (journey_id, its_key), found in person.entries.items()
        if journey_id == plan.journey_id and (not keyed or its_key == key)
    ]
    if reentry.rule == "once":
        return not any(found.count for found in entries)
    if any(_open_in(one, plan) and (not keyed or one.key == key) for one in person.passages):
        return False
    last = max((found.last for found in entries if found.last), default=None)
    return reentry.rule != "after" or last is None or person.now - last >= reentry.pause


def _has_key(plan: Plan) -> bool:
    trigger = plan.definition.trigger
    return isinstance(trigger, EventTrigger) and trigger.key is not None


def _exclusive(plan: Plan, key: str) -> str | None:
    """What a unique constraint holds the re-entry rule by; see ``Enrollment.exclusive``."""
    rule = plan.definition.reentry.rule
    if rule == "every_time":
        return None
    return f"once:{key}" if rule == "once" else f"open:{key}"


def _key(value: Any) -> str:
    """A property's value as text that is the same exactly where values are `eq` (E3)."""
    text = json_key(value)
    return text if len(text) <= 100 else sha256(text.encode()).hexdigest()


def _refuse(person: Person, plan: Plan, happening: Happening | None, reason: str) -> None:
    person.world.refusals.append(
        {
            "journey_id": plan.journey_id,
            "contact_id": person.id,
            "event_id": happening.id if happening else None,
            "at": person.now,
            "reason": reason,
        }
    )


# membership


def membership(person: Person, *, hourly: bool = False) -> None:
    """Entries by membership that changed since the contact's last fact (E5).

    ``hourly`` counts only the segments that look at the time (T5).
    """
    became = note_membership(person, hourly=hourly)
    for rule in became:
        for plan in person.world.open_plans:
            trigger = plan.definition.trigger
            if isinstance(trigger, SegmentTrigger) and trigger.segment == rule.slug:
                enter(person, plan)


def note_membership(person: Person, *, hourly: bool = False) -> list[SegmentRule]:
    """Bring the record of the contact's memberships up to date; the segments it came into."""
    became: list[SegmentRule] = []
    if not hourly:
        became += [person.world.segments[slug] for slug in person.joined]
        person.joined = []
    for rule in person.world.followed:
        if hourly and not rule.time_dependent:
            continue
        was = rule.slug in person.members
        assert rule.condition is not None
        if rule.condition.holds(person) == was:
            continue
        if was:
            person.members.remove(rule.slug)
        else:
            person.members.add(rule.slug)
            became.append(rule)
        person.world.memberships.append((person, rule, person.now, not was))
    return became


def next_hour(person: Person) -> datetime | None:
    """The next full hour at which a membership that looks at the time may differ (T5).

    That is this one, too, where a fact that counts no memberships came at it or before it.
    """
    first: datetime | None = None
    for rule in person.world.followed:
        if not rule.looks_at_time or rule.condition is None:
            continue
        if rule.condition.holds(person) != (rule.slug in person.members):
            return full_hour_from(person.now)
        for condition in rule.looks_at_time:
            moment = min(condition.moments(person), default=None)
            if moment is not None and (first is None or moment < first):
                first = moment
    return full_hour_from(first) if first is not None else None


def full_hour_from(moment: datetime) -> datetime | None:
    """The first full hour (UTC) at or after ``moment``, or None beyond the calendar."""
    floor = moment.replace(minute=0, second=0, microsecond=0)
    return floor if floor == moment else later(floor, HOUR)


# dates


def refresh_dates(person: Person) -> None:
    """Work out anew when the date triggers ask for this contact."""
    for plan in person.world.open_plans:
        trigger = plan.definition.trigger
        if isinstance(trigger, DateTrigger):
            plan_date(person, plan, trigger.rule)


def plan_date(person: Person, plan: Plan, rule: DateRule) -> None:
    """Work out anew when one date trigger asks for this contact."""
    state = person.dates.get(plan.journey_id)
    found = _next_date(person, plan, rule, state.asked_at if state else None)
    due_at, day = found if found else (None, None)
    if state is None:
        if due_at is None:
            return
        state = person.dates[plan.journey_id] = DateState()
    if (state.due_at, state.local_date) != (due_at, day):
        state.due_at, state.local_date, state.changed = due_at, day, True


def _next_date(
    person: Person, plan: Plan, rule: DateRule, asked_at: datetime | None
) -> tuple[datetime, Date | None] | None:
    """The next moment from now on at which it was not asked yet, with its local date."""
    value = person.attribute(rule.attribute)
    for moment, day in _moments(person, value, rule):
        if moment < person.now or moment == asked_at:
            continue
        if day is not None and (plan.journey_id, day) in person.local_dates:
            continue
        return moment, day
    return None


def _moments(person: Person, value: Any, rule: DateRule) -> list[tuple[datetime, Date | None]]:
    """The moments a date trigger has, in order: one, or one a year around now."""
    if rule.at is None:
        moment = moment_of(value, rule, person.zone)
        return [(moment, None)] if moment else []
    known = parse_moment(value)
    if known is None:
        return []
    born = known.date if known.is_date else local_date(known.instant, person.zone)
    if born is None:
        return []
    years = [born.year]
    if rule.yearly:
        around = shifted(person.now.date(), -rule.offset.days) or person.now.date()
        years = [year for year in range(around.year - 1, around.year + 3) if year >= born.year]
        if born.year > around.year + 2:
            years = [born.year]
    found = []
    for year in years:
        day = _in_year(born, year)
        target = shifted(day, rule.offset.days) if day else None
        moment = instant(target, rule.at, person.zone) if target else None
        if moment is not None:
            found.append((moment, target))
    return found


def _in_year(born: Date, year: int) -> Date | None:
    """A birthday in another year; 29 February falls on 28 February where there is none."""
    if not 1 <= year <= 9999:
        return None
    try:
        return born.replace(year=year)
    except ValueError:
        return born.replace(year=year, day=28)
