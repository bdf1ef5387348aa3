"""A journey as a picture: its cards with their words, its lines with their labels, all in place.

Any draft can be drawn, however unfinished: what can't be read is shown as it is, with its problems.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contacts import conditions
from contacts.problems import Problem, Problems
from contacts.values import words_duration
from journeys import wording
from journeys.fields import (
    ConditionSetting,
    DateSetting,
    DurationSetting,
    EventSetting,
    Place,
    WindowSetting,
)
from journeys.layout import STOP_HEIGHT, Box, Layout, Line, Placed, Route, arrange
from journeys.lettering import text_width, wrapped
from journeys.naming import Names, mails_of, named_condition, named_node, own_names
from journeys.nodes import NodeKind, kinds

#: The key of the card on which a journey begins; no node can have it.
ENTRY = "@entry"

CARD_WIDTH = 300
#: The room of a line without a label: its button alone.
BUTTON_HEIGHT = 28
_TEXT_WIDTH = CARD_WIDTH - 14 - 36 - 12 - 14
#: The rows of the entry card have an icon of their own.
_ROW_WIDTH = _TEXT_WIDTH - 22
_LINE_HEIGHT, _SMALL_HEIGHT, _PADDING, _NUMBERS = 19, 17, 12, 30


@dataclass(frozen=True)
class Row:
    """A line of the entry card beside its first sentence: an icon and what it stands for."""

    icon: str
    text: str


@dataclass(frozen=True)
class Card:
    """A card: what it says and where it leads.

    ``outcomes`` are in the order in which they are shown, each with the key of the next card or
    None; ``ways`` is what they are called. ``lines`` are the words as they are broken.
    """

    key: str
    kind: str
    label: str
    icon: str
    words: str
    outcomes: Mapping[str, str | None]
    lines: tuple[str, ...] = ()
    key_lines: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    mark: str = ""
    ways: Mapping[str, str] = field(default_factory=dict)

    def way(self, outcome: str) -> str:
        """What an outcome is called on the map."""
        return self.ways.get(outcome, outcome)

    @property
    def subtitle(self) -> str:
        """What stands small below its sentence: its kind, and its key where somebody chose it."""
        if self.is_entry:
            return ""
        plain = re.fullmatch(rf"{re.escape(self.kind)}(-[0-9]+)?", self.key)
        return self.label if plain else f"{self.label} · {self.key}"

    @property
    def is_entry(self) -> bool:
        """Whether the journey begins here."""
        return self.key == ENTRY

    @property
    def errors(self) -> int:
        """How many problems keep it from being published."""
        return sum(problem.level == "error" for problem in self.problems)

    def height(self, numbers: bool) -> int:
        """How much room its text needs."""
        text = _LINE_HEIGHT * len(self.lines) + _SMALL_HEIGHT * len(self.key_lines)
        rows = sum(_SMALL_HEIGHT * len(wrapped(row.text, _ROW_WIDTH, 12)) + 5 for row in self.rows)
        return max(2 * _PADDING + text + rows, 60) + (_NUMBERS if numbers else 0)


@dataclass(frozen=True)
class Picture:
    """A whole journey, drawn."""

    cards: Mapping[str, Card]
    layout: Layout
    problems: tuple[Problem, ...] = ()
    numbers: bool = False

    def placed(self) -> list[tuple[Card, Placed]]:
        """The cards in reading order, each with its place."""
        boxes = self.layout.boxes
        pairs = [(card, boxes[key]) for key, card in self.cards.items()]
        return sorted(pairs, key=lambda pair: (pair[1].y, pair[1].x))

    def label(self, line: Line) -> str:
        """What stands on a line; nothing where a card has only one way out."""
        every = self.cards[line.source].outcomes
        return (
            ""
            if len(line.outcomes) == len(every)
            else _ways(self.cards[line.source], line.outcomes)
        )

    @property
    def routes(self) -> list[Route]:
        return list(self.layout.routes)


def draw(
    data: Any,
    problems: Iterable[Problem] = (),
    *,
    numbers: bool = False,
    marks: Mapping[str, str] | None = None,
    names: Names | None = None,
) -> Picture:
    """The picture of a journey file's data, with ``problems`` at the cards they are about.

    ``numbers`` leaves room for live numbers; ``marks`` says of cards that they were ``added``,
    ``changed`` or ``removed``; ``names`` is what templates, segments and topics are called.
    """
    given = list(problems)
    cards = read_cards(data, names)
    cards = {
        key: replace(
            card,
            problems=tuple(one for one in given if card_of(one.place, cards) == key),
            mark=(marks or {}).get(key, ""),
        )
        for key, card in cards.items()
    }
    return _arranged(cards, given, numbers)


def _arranged(cards: dict[str, Card], problems: list[Problem], numbers: bool) -> Picture:
    return Picture(
        cards=cards,
        layout=arrange(
            [Box(key, CARD_WIDTH, card.height(numbers)) for key, card in cards.items()],
            [line for card in cards.values() for line in _lines(card)],
            [ENTRY],
        ),
        problems=tuple(one for one in problems if card_of(one.place, cards) is None),
        numbers=numbers,
    )


def draw_changes(
    old: Any, new: Any, problems: Iterable[Problem] = (), names: Names | None = None
) -> Picture:
    """The picture of ``new`` with what it changes: cards are marked, and what is gone still hangs
    where it hung, on lines that are called as they were.
    """
    given = list(problems)
    marks = difference(old, new).marks()
    before, cards = read_cards(old, names), read_cards(new, names)
    gone = {key: card for key, card in before.items() if key not in cards}
    for key, card in cards.items():
        lost = {
            f"before: {outcome}": target
            for outcome, target in (before[key].outcomes if key in before else {}).items()
            if target in gone
        }
        cards[key] = replace(
            card,
            outcomes={**card.outcomes, **lost},
            ways={**card.ways, **_ways_before(before.get(key))},
            problems=tuple(one for one in given if card_of(one.place, cards) == key),
            mark=marks.get(key, ""),
        )
    for key, card in gone.items():
        led = {way: to if to in gone or to in cards else None for way, to in card.outcomes.items()}
        cards[key] = replace(card, outcomes=led, mark="removed")
    return _arranged(cards, given, numbers=False)


def _ways_before(card: Card | None) -> dict[str, str]:
    return {f"before: {way}": f"before: {card.way(way)}" for way in card.outcomes} if card else {}


def _ways(card: Card, outcomes: Iterable[str]) -> str:
    return " · ".join(card.way(outcome) for outcome in outcomes)


def card_of(place: str, cards: Collection[str]) -> str | None:
    """The card at which a problem belongs; None for what belongs to the whole."""
    if place.startswith("nodes."):
        key = place.removeprefix("nodes.")
        while key and key not in cards:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return key or None
    head = place.split(".")[0].split("[")[0]
    return ENTRY if head in ("entry", "goal", "exit_when", "window", "start") else None


def _lines(card: Card) -> list[Line]:
    """The outcomes of a card that lead to the same card are one line; each loose one is its own."""
    by_target: dict[tuple[str | None, str], list[str]] = {}
    for outcome, target in card.outcomes.items():
        alone = outcome if target is None else ""
        by_target.setdefault((target, alone), []).append(outcome)
    lines = []
    for (target, _), outcomes in by_target.items():
        whole = len(outcomes) == len(card.outcomes)
        width = 28.0 if whole else text_width(_ways(card, outcomes), 12) + 22
        height = BUTTON_HEIGHT if whole else STOP_HEIGHT
        lines.append(Line(card.key, tuple(outcomes), target, width, height))
    return lines


# --- nodes ---


def read_cards(data: Any, names: Names | None = None) -> dict[str, Card]:
    """The card of the entry and those of all nodes."""
    return {ENTRY: entry_card(data, names), **read_nodes(data, names)}


def read_nodes(data: Any, names: Names | None = None) -> dict[str, Card]:
    """The cards of all nodes, as far as they can be read.

    ``names`` is what templates, segments and topics are called; without it, those that the data
    itself carries have names.
    """
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, dict):
        return {}
    names = names or Names(**own_names(data))
    mails = mails_of(data, names)
    return {
        str(key): _node_card(str(key), named_node(node, names, mails))
        for key, node in nodes.items()
    }


def read_kind(key: str, node: Any) -> tuple[NodeKind | None, Problems]:
    """The node as its kind reads it, whatever is wrong with it; None for an unknown kind."""
    problems = Problems()
    kind = kinds().get(str(node.get("kind"))) if isinstance(node, dict) else None
    if kind is None:
        return None, problems
    settings = {name: value for name, value in node.items() if name not in ("kind", "next")}
    scope = conditions.Scope(enrollment=True, trigger=True)
    return kind.read(key, settings, Place("", problems, scope)), problems


def _node_card(key: str, node: Any) -> Card:
    read, problems = read_kind(key, node)
    follows = node.get("next") if isinstance(node, dict) else None
    written = follows if isinstance(follows, dict) else {}
    if read is None:
        name = node.get("kind") if isinstance(node, dict) else None
        outcomes = {str(outcome): str(target) for outcome, target in written.items()}
        if isinstance(follows, str):
            outcomes = {"next": follows}
        return _finished(Card(key, "", str(name or "?"), "help", "Of no known kind", outcomes))
    targets: dict[str, str | None] = {}
    for outcome in read.outcomes:
        target = follows if isinstance(follows, str) else written.get(outcome)
        targets[outcome] = target if isinstance(target, str) else None
    targets |= {str(one): str(to) for one, to in written.items() if one not in targets}
    words = "Needs to be set up" if problems.errors else read.words()
    ways = {outcome: read.outcome_label(outcome) for outcome in targets}
    return _finished(Card(key, read.kind, read.label, read.icon, words, targets, ways=ways))


def _finished(card: Card) -> Card:
    """The card with its words broken into lines."""
    small = card.subtitle
    return replace(
        card,
        lines=tuple(wrapped(card.words, _TEXT_WIDTH, 13.5)),
        key_lines=tuple(wrapped(small, _TEXT_WIDTH, 12)) if small else (),
    )


# --- the entry ---


def entry_card(data: Any, names: Names | None = None) -> Card:
    """The card on which the journey begins: its trigger in words, and what bounds the whole."""
    given = data if isinstance(data, dict) else {}
    start = given.get("start")
    words, rows = entry_words(given, names)
    start_to = start if isinstance(start, str) and start else None
    outcomes, ways = {"start": start_to}, {"start": "first"}
    return _finished(Card(ENTRY, "entry", "Start", "flag", words, outcomes, rows=rows, ways=ways))


def entry_words(data: Mapping[str, Any], names: Names | None = None) -> tuple[str, tuple[Row, ...]]:
    """What starts the journey as a sentence, and the rows below; ``names`` as in `read_nodes`."""
    entry = data.get("entry")
    entry = entry if isinstance(entry, dict) else {}
    names = names or Names(**own_names(data))
    mails = mails_of(data, names)
    rows: list[Row] = []
    if words := _condition(named_condition(entry.get("filter"), names, mails)):
        rows.append(Row("filter_alt", f"Only if {words}"))
    if again := _reentry(entry.get("reentry", "once")):
        rows.append(Row("repeat", again))
    goal = data.get("goal")
    if isinstance(goal, dict) and "event" in goal:
        match = EventSetting().read(goal, _place())
        rows.append(Row("flag_circle", f"Goal: {wording.event_match(match)}" if match else "Goal"))
    elif words := _condition(named_condition(goal, names, mails)):
        rows.append(Row("flag_circle", f"Goal: {words}"))
    if words := _condition(named_condition(data.get("exit_when"), names, mails)):
        rows.append(Row("logout", f"Leaves when {words}"))
    if isinstance(data.get("window"), dict):
        hours = WindowSetting().read(data["window"], _place())
        if hours is not None and hours.days:
            rows.append(Row("schedule", f"Sends {wording.window(hours)}"))
    return _trigger(entry.get("trigger"), names), tuple(rows)


def _place() -> Place:
    return Place("", Problems(), conditions.Scope(enrollment=True, trigger=True))


def _condition(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    place = _place()
    condition = ConditionSetting().read(value, place)
    return "… (needs to be set up)" if place.problems.errors else condition.words()


def _trigger(trigger: Any, names: Names) -> str:
    if not isinstance(trigger, dict):
        return "Choose what starts this journey"
    if trigger.get("manual") is True:
        return "When somebody enters people by hand"
    if isinstance(trigger.get("segment"), str) and trigger["segment"]:
        return f"When a person joins the segment “{names.of('segments', trigger['segment'])}”"
    place = _place()
    if trigger.get("event"):
        match = EventSetting(extra=("key",)).read(trigger, place)
        if match and not place.problems.errors:
            each = f", once for each {trigger['key']}" if trigger.get("key") else ""
            where = match.where.words().removeprefix("where ")
            with_what = f" where {where}" if where else ""
            return f"When {match.event} happens{with_what}{each}"
    if trigger.get("date"):
        renamed = {("attribute" if key == "date" else key): part for key, part in trigger.items()}
        rule = DateSetting(extra=("yearly",)).read(renamed, place)
        if rule and not place.problems.errors:
            words = wording.date_rule(rule)
            return f"{words[:1].upper()}{words[1:]}" if rule.offset else f"On {words}"
    return "Choose what starts this journey"


def _reentry(rule: Any) -> str:
    if isinstance(rule, dict) and "after" in rule:
        pause = DurationSetting().read(rule["after"], _place())
        return f"Again after {words_duration(pause)} at the earliest" if pause else ""
    return {
        "once": "Once for each person",
        "after_exit": "Again after it has ended",
        "every_time": "Every time, also several at once",
    }.get(rule if isinstance(rule, str) else "", "")


def text_rows(rows: Iterable[Row]) -> list[tuple[Row, list[str]]]:
    """The rows of an entry card, each with its text broken into lines."""
    return [(row, wrapped(row.text, _ROW_WIDTH, 12)) for row in rows]


@dataclass(frozen=True)
class Difference:
    """What a draft changes against the live version: keys, and sentences."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def marks(self) -> dict[str, str]:
        """The keys by what happened to them, for the picture."""
        return {
            **dict.fromkeys(self.added, "added"),
            **dict.fromkeys(self.changed, "changed"),
            **dict.fromkeys(self.removed, "removed"),
        }

    def __bool__(self) -> bool:
        return bool(self.sentences)


def difference(old: Any, new: Any, names: Names | None = None) -> Difference:
    """What is other in ``new``, card by card; ``names`` as in `read_nodes`."""
    before = read_cards(old, names) if old else {}
    after = read_cards(new, names)
    raw_old, raw_new = _raw(old), _raw(new)
    found = Difference(
        added=[key for key in after if key not in before],
        removed=[key for key in before if key not in after],
        changed=[key for key in after if key in before and raw_old.get(key) != raw_new.get(key)],
    )
    old_calls, new_calls = _calls(before), _calls(after)
    found.sentences.extend(f"{new_calls[key]} is new." for key in found.added)
    for key in found.changed:
        found.sentences.extend(_changes(key, before, after))
    found.sentences.extend(f"{old_calls[key]} is gone." for key in found.removed)
    return found


def _raw(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        return {}
    nodes = data.get("nodes")
    parts = ("entry", "goal", "exit_when", "window", "start")
    entry = {part: data[part] for part in parts if part in data}
    return {ENTRY: entry, **(nodes if isinstance(nodes, dict) else {})}


def _calls(cards: Mapping[str, Card]) -> dict[str, str]:
    """What the cards are called: by their words, and by the key where others have the same."""
    often = Counter(card.words for card in cards.values())
    return {
        key: f"“{card.words}”" if often[card.words] == 1 else f"“{card.words}” ({key})"
        for key, card in cards.items()
    } | {ENTRY: "The start"}


def _changes(key: str, before: Mapping[str, Card], after: Mapping[str, Card]) -> list[str]:
    """What became of a card that both have."""
    old_calls, new_calls = _calls(before), _calls(after)
    old, new, name, said = before[key], after[key], new_calls[key], []
    if old.words != new.words:
        start = f"{name}: “{old.words}”" if new.is_entry else old_calls[key]
        said.append(f"{start} becomes “{new.words}”.")
    old_rows, new_rows = {row.text for row in old.rows}, {row.text for row in new.rows}
    said += [f"{name}: now “{text}”." for text in sorted(new_rows - old_rows)]
    said += [f"{name}: no longer “{text}”." for text in sorted(old_rows - new_rows)]
    for outcome in new.outcomes:
        target = new.outcomes[outcome]
        if old.outcomes.get(outcome) != target:
            way = "" if len(new.outcomes) == 1 else f" by “{new.way(outcome)}”"
            to = new_calls.get(target, f"“{target}”") if target else "the end"
            said.append(f"{name} leads{way} to {to}.")
    return said or [f"{name} is set up differently."]
