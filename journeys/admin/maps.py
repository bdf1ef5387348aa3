"""The picture as the templates take it: in HTML to work on, and as an SVG to keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from journeys.layout import Line
from journeys.lettering import text_width
from journeys.picture import ENTRY, Card, Picture, text_rows

#: How round the corners of lines are.
RADIUS = 9
#: The colours of kinds in an SVG: the ground behind the icon, and the icon.
COLOURS = {
    "entry": ("#d9f3ef", "#0f766e"),
    "send": ("#dbeafe", "#1d4ed8"),
    "wait": ("#fef3c7", "#92600a"),
    "branch": ("#ede9fe", "#6d28d9"),
    "split": ("#fae8ff", "#a21caf"),
    "update": ("#dcfce7", "#15803d"),
    "webhook": ("#e0f2fe", "#0369a1"),
    "exit": ("#fee2e2", "#b91c1c"),
}
#: How much of a map a thumbnail shows.
THUMBNAIL = (640, 470)
GREY = ("#eef0f3", "#475467")


@dataclass(frozen=True)
class Thing:
    """A card, or the place of a line with its label and button, as the template shows it."""

    x: float
    y: float
    width: float
    height: float
    said: str
    card: Card | None = None
    id: str = ""
    label: str = ""
    source: str = ""
    target: str | None = None
    outcomes: tuple[str, ...] = ()
    loose: bool = False

    @property
    def outcomes_json(self) -> str:
        return json.dumps(self.outcomes)


@dataclass(frozen=True)
class Drawn:
    """A line as an SVG path."""

    path: str
    source: str
    target: str | None
    outcomes: tuple[str, ...]
    loose: bool
    back: bool

    @property
    def outcomes_json(self) -> str:
        return json.dumps(self.outcomes)


@dataclass(frozen=True)
class Map:
    """All that the template of a map shows; ``cards`` are for the list beside it."""

    width: float
    height: float
    lines: list[Drawn]
    things: list[Thing]
    cards: list[dict[str, Any]]
    numbers: bool


def make(picture: Picture) -> Map:
    """The map of a picture, everything in reading order."""
    ids = {key: str(number) for number, key in enumerate(picture.cards)}
    cards = [
        Thing(box.x, box.y, box.width, box.height, said=_said(card, picture), card=card)
        for card, box in picture.placed()
    ]
    stops = [_stop(route.line, route.stop, picture, ids) for route in picture.routes]
    return Map(
        width=picture.layout.width,
        height=picture.layout.height,
        lines=[_drawn(route.line, route.points, route.back, picture) for route in picture.routes],
        things=sorted([*cards, *stops], key=lambda thing: (thing.y, thing.x)),
        cards=[_listed(card, picture) for card, _ in picture.placed()],
        numbers=picture.numbers,
    )


def html(picture: Picture, editable: bool) -> dict[str, Any]:
    """The map and the list as HTML, with the size of the map."""
    drawn = make(picture)
    context = {"map": drawn, "editable": editable}
    return {
        "map": render_to_string("journeys/builder/map.html", context),
        "list": render_to_string("journeys/builder/list.html", context),
        "width": drawn.width,
        "height": drawn.height,
    }


def _target(line: Line, picture: Picture) -> str | None:
    return line.target if line.target in picture.cards else None


def _stop(line: Line, at: tuple[float, float], picture: Picture, ids: dict[str, str]) -> Thing:
    width = max(line.width, 28)
    target, source = _target(line, picture), picture.cards[line.source]
    return Thing(
        x=round(at[0] - width / 2, 1),
        y=at[1],
        width=width,
        height=line.height,
        said=_invitation(source, line, target, picture),
        id=f"{ids[line.source]}-{list(source.outcomes).index(line.outcomes[0])}",
        label=picture.label(line),
        source=line.source,
        target=target,
        outcomes=line.outcomes,
        loose=target is None,
    )


def _invitation(source: Card, line: Line, target: str | None, picture: Picture) -> str:
    way = picture.label(line)
    where = f"after “{source.words}”" + (f", by “{way}”" if way else "")
    return f"Add a step {where}" + (f", before “{picture.cards[target].words}”" if target else "")


def _said(card: Card, picture: Picture) -> str:
    """A card as a screen reader says it."""
    parts = [f"{card.label}: {card.words}"] if not card.is_entry else [f"Start: {card.words}"]
    parts += [row.text for row in card.rows]
    for outcome, target in card.outcomes.items():
        there = picture.cards.get(target) if target else None
        to = f"leads to “{there.words}”" if there else "ends here"
        parts.append(to if len(card.outcomes) == 1 else f"“{card.way(outcome)}” {to}")
    if card.mark:
        parts.append(card.mark)
    parts += [f"{one.level}: {one.message}" for one in card.problems]
    return ". ".join(part.rstrip(".") for part in parts) + "."


def _listed(card: Card, picture: Picture) -> dict[str, Any]:
    ways = []
    for line in (route.line for route in picture.routes if route.line.source == card.key):
        target = _target(line, picture)
        ways.append(
            {
                "label": picture.label(line),
                "target": target,
                "target_words": picture.cards[target].words if target else "",
                "outcome": line.outcomes[0],
                "outcomes_json": json.dumps(line.outcomes),
                "said": _invitation(card, line, target, picture),
            }
        )
    return {
        "key": card.key,
        "kind": card.kind,
        "icon": card.icon,
        "label": card.label,
        "subtitle": card.subtitle or card.label,
        "words": card.words,
        "is_entry": card.is_entry,
        "rows": card.rows,
        "problems": card.problems,
        "errors": card.errors,
        "ways": ways,
    }


def _drawn(
    line: Line, points: Sequence[tuple[float, float]], back: bool, picture: Picture
) -> Drawn:
    target = _target(line, picture)
    return Drawn(rounded(points), line.source, target, line.outcomes, target is None, back)


def rounded(points: Sequence[tuple[float, float]]) -> str:
    """An SVG path along ``points`` with round corners."""
    if not points:
        return ""
    path = [f"M{_number(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        path.append(f"L{_number(_towards(corner, before, reach))}")
        path.append(f"Q{_number(corner)} {_number(_towards(corner, after, reach))}")
    path.append(f"L{_number(points[-1])}")
    return "".join(path)


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(
    start: tuple[float, float], end: tuple[float, float], reach: float
) -> tuple[float, float]:
    whole = _distance(start, end) or 1
    return (
        start[0] + (end[0] - start[0]) * reach / whole,
        start[1] + (end[1] - start[1]) * reach / whole,
    )


def _number(point: tuple[float, float]) -> str:
    return f"{point[0]:g} {point[1]:g}"


# --- SVG ---


def svg(picture: Picture, title: str) -> str:
    """The picture as an SVG that stands by itself: no font, script or file beside it."""
    return _svg(picture, title, (0, 0, picture.layout.width, picture.layout.height))


def thumbnail(picture: Picture, title: str) -> str:
    """The beginning of the picture, large enough to be read."""
    entry = picture.layout.boxes[ENTRY]
    width, height = THUMBNAIL
    left = max(min(entry.x + entry.width / 2, picture.layout.width - width / 2), width / 2)
    if picture.layout.width < width:
        left = picture.layout.width / 2
    return _svg(picture, title, (round(left - width / 2), 0, width, height))


def _svg(picture: Picture, title: str, part: tuple[float, float, float, float]) -> str:
    drawn = make(picture)
    return render_to_string(
        "journeys/map.svg",
        {
            "title": title,
            "part": part,
            "map": drawn,
            "cards": [_svg_card(thing) for thing in drawn.things if thing.card],
            "labels": [_svg_label(thing) for thing in drawn.things if thing.label],
        },
    )


def _svg_card(thing: Thing) -> dict[str, Any]:
    card = thing.card
    assert card is not None
    ground, ink = COLOURS.get(card.kind, GREY)
    left, y = thing.x + 62, thing.y + 12 + 13
    texts = []
    for line in card.lines:
        texts.append({"x": left, "y": y, "text": line, "strong": True})
        y += 19
    for line in card.key_lines:
        texts.append({"x": left, "y": y - 1, "text": line, "strong": False})
        y += 17
    for _, lines in text_rows(card.rows):
        y += 5
        for line in lines:
            texts.append({"x": left, "y": y - 1, "text": line, "strong": False})
            y += 17
    initial = (card.label or "?")[0]
    return {"at": thing, "ground": ground, "ink": ink, "texts": texts, "initial": initial}


def _svg_label(thing: Thing) -> dict[str, Any]:
    width = text_width(thing.label, 12) + 16
    middle = thing.x + thing.width / 2
    return {"x": middle - width / 2, "y": thing.y, "width": width, "middle": middle, "at": thing}
