"""Where everything on a journey's map stands: layers from top to bottom, and lines between them.

The method is Sugiyama's: break the loops, put each box one layer below all that lead to it, let
long lines pass through places of their own in the layers between, order the layers so that few
lines cross, and move boxes towards their neighbours. Each line has a place of its own in the layer
under its source, wide enough for its label and its button, so that no two things ever overlap.

Pure: numbers in, numbers out, the same for the same journey. Units are pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Free space between neighbours of a layer, and above and below each layer.
CARD_GAP, LINE_GAP, CHANNEL = 36, 20, 18
#: What a line that shares its channel needs, and the border of the whole.
LANE, MARGIN = 10, 32
#: The height of a line's own place, with a label and a button.
STOP_HEIGHT = 52
#: What a line needs that only passes through a layer.
PASSING = 16
SWEEPS, PULLS, ROUNDS = 12, 24, 16


@dataclass(frozen=True)
class Box:
    """A card to place."""

    key: str
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """A line to draw: from a card, by one or more of its outcomes, to a card or to nowhere.

    ``width`` and ``height`` are what its label and its button need.
    """

    source: str
    outcomes: tuple[str, ...]
    target: str | None
    width: float = 28
    height: float = STOP_HEIGHT


@dataclass(frozen=True)
class Placed:
    """A card in its place: its top left corner and its size."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """A line in its place: the corners it passes, and the middle of the top of its own place."""

    line: Line
    points: tuple[tuple[float, float], ...]
    stop: tuple[float, float]
    #: Whether it leads back up (a loop).
    back: bool = False


@dataclass(frozen=True)
class Layout:
    """A whole map."""

    width: float
    height: float
    boxes: Mapping[str, Placed]
    routes: Sequence[Route]


@dataclass
class _Item:
    """A place in a layer: a card, a line's own place, or where a long line passes."""

    width: float
    height: float
    layer: int
    card: str | None = None
    line: int | None = None
    x: float = 0
    y: float = 0
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)

    @property
    def gap(self) -> float:
        return CARD_GAP if self.card is not None else LINE_GAP


def arrange(boxes: Sequence[Box], lines: Sequence[Line], roots: Iterable[str] = ()) -> Layout:
    """Place all ``boxes`` and draw all ``lines``; ``roots`` come first, at the top.

    A line whose target is not among the boxes is drawn as one that leads nowhere.
    """
    return _Map(boxes, lines, list(roots)).layout()


class _Map:
    def __init__(self, boxes: Sequence[Box], lines: Sequence[Line], roots: list[str]) -> None:
        self.boxes = {box.key: box for box in boxes}
        self.lines = [line for line in lines if line.source in self.boxes]
        self.targets = [line.target if line.target in self.boxes else None for line in self.lines]
        self.items: list[_Item] = []
        self.path: dict[int, list[int]] = {}
        order = [key for key in roots if key in self.boxes]
        self.order = [*order, *(key for key in self.boxes if key not in order)]
        self.out: dict[str, list[int]] = {key: [] for key in self.boxes}
        for number, line in enumerate(self.lines):
            self.out[line.source].append(number)

    def layout(self) -> Layout:
        finished, self.back = self._walk()
        layers_of = self._layers(finished)
        self._make_items(layers_of)
        self._order_layers()
        self._pull()
        return self._draw()

    # --- which card in which layer ---

    def _walk(self) -> tuple[list[str], set[int]]:
        """Cards in the order in which a walk finishes with them, and the lines that lead back."""
        finished: list[str] = []
        back: set[int] = set()
        state: dict[str, int] = {}
        for root in self.order:
            if root in state:
                continue
            state[root] = 1
            stack = [(root, iter(self.out[root]))]
            while stack:
                key, rest = stack[-1]
                for number in rest:
                    target = self.targets[number]
                    if target is None:
                        continue
                    if state.get(target) == 1:
                        back.add(number)
                    elif target not in state:
                        state[target] = 1
                        stack.append((target, iter(self.out[target])))
                        break
                else:
                    state[key] = 2
                    finished.append(key)
                    stack.pop()
        return finished, back

    def _layers(self, finished: list[str]) -> dict[str, int]:
        """Cards stand in even layers, as far down as the longest way to them; lines between."""
        layer = dict.fromkeys(self.boxes, 0)
        for key in reversed(finished):
            for number in self.out[key]:
                target = self.targets[number]
                if target is not None and number not in self.back:
                    layer[target] = max(layer[target], layer[key] + 2)
        return layer

    def _make_items(self, layer_of: dict[str, int]) -> None:
        self.card_item = {}
        self.rows: dict[int, list[int]] = defaultdict(list)
        seen: set[str] = set()
        todo = list(reversed(self.order))
        while todo:  # depth first, so that what belongs together begins side by side
            key = todo.pop()
            if key in seen:
                continue
            seen.add(key)
            box = self.boxes[key]
            self.card_item[key] = self._add(_Item(box.width, box.height, layer_of[key], card=key))
            todo.extend(
                target
                for number in reversed(self.out[key])
                if (target := self.targets[number]) is not None and number not in self.back
            )
        for number, line in enumerate(self.lines):
            self._make_path(number, line)

    def _make_path(self, number: int, line: Line) -> None:
        source = self.card_item[line.source]
        top = self.items[source].layer + 1
        stop = self._add(_Item(max(line.width, 28), line.height, top, line=number))
        self._join(source, stop)
        path = [stop]
        target = self.targets[number]
        if target is not None and number not in self.back:
            end = self.card_item[target]
            for layer in range(top + 1, self.items[end].layer):
                passing = self._add(_Item(PASSING, 0, layer, line=number))
                self._join(path[-1], passing)
                path.append(passing)
            self._join(path[-1], end)
        self.path[number] = path

    def _add(self, item: _Item) -> int:
        self.items.append(item)
        self.rows[item.layer].append(len(self.items) - 1)
        return len(self.items) - 1

    def _join(self, upper: int, lower: int) -> None:
        self.items[upper].down.append(lower)
        self.items[lower].up.append(upper)

    # --- the order within each layer ---

    def _order_layers(self) -> None:
        self._first_order()
        best, fewest = self._copy_rows(), self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            downward = sweep % 2 == 0
            self._sweep(downward)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = self._copy_rows(), crossings
        self.rows = best

    def _first_order(self) -> None:
        """Under each other as they were met, lines in the order of their outcomes."""
        for layer in sorted(self.rows)[1:]:
            above = self._positions(layer - 1)
            rank = {
                item: (min((above[up] for up in self.items[item].up), default=len(above)), item)
                for item in self.rows[layer]
            }
            self.rows[layer].sort(key=rank.__getitem__)

    def _copy_rows(self) -> dict[int, list[int]]:
        return {layer: list(row) for layer, row in self.rows.items()}

    def _positions(self, layer: int) -> dict[int, int]:
        return {item: position for position, item in enumerate(self.rows.get(layer, ()))}

    def _sweep(self, downward: bool) -> None:
        layers = sorted(self.rows, reverse=not downward)
        for previous, layer in pairwise(layers):
            beside = self._positions(previous)
            here = self._positions(layer)
            weight = {}
            for item in self.rows[layer]:
                near = self.items[item].up if downward else self.items[item].down
                places = [self._port(one, item, beside, downward) for one in near]
                weight[item] = sum(places) / len(places) if places else float(here[item])
            self.rows[layer].sort(key=lambda item: (weight[item], here[item]))

    def _port(self, beside: int, item: int, places: dict[int, int], downward: bool) -> float:
        """Where a line leaves a neighbour: a little to the right for each outcome before it."""
        if not downward:
            return float(places[beside])
        siblings = self.items[beside].down
        return places[beside] + 0.5 * siblings.index(item) / len(siblings)

    def _crossings(self) -> int:
        return sum(self._crossings_under(layer) for layer in self.rows)

    def _crossings_under(self, layer: int) -> int:
        below = self._positions(layer + 1)
        ends = []
        for item in self.rows[layer]:
            ends.extend(sorted(below[down] for down in self.items[item].down))
        return _inversions(ends, len(below))

    # --- the place within each layer ---

    def _pull(self) -> None:
        for row in self.rows.values():
            right = 0.0
            for item in row:
                one = self.items[item]
                one.x = right + one.width / 2
                right += one.width + one.gap
        layers = sorted(self.rows)
        for turn in range(PULLS):
            downward = turn % 2 == 0
            for layer in layers if downward else reversed(layers):
                self._pull_row(self.rows[layer], downward, both=turn >= PULLS - 6)
        self._straighten()

    def _straighten(self) -> None:
        """Put what stands alone under each other in one column, as far as neighbours allow."""
        columns = self._columns()
        for _ in range(ROUNDS):
            wanted = [one.x for one in self.items]
            for column in columns:
                middle = sum(self.items[item].x for item in column) / len(column)
                for item in column:
                    wanted[item] = middle
            for row in self.rows.values():
                self._place_row(row, [wanted[item] for item in row], [1.0] * len(row))

    def _columns(self) -> list[list[int]]:
        """Chains in which each item is the only one under the one before, and that above it."""
        columns: list[list[int]] = []
        for item, one in enumerate(self.items):
            if len(one.up) == 1 and len(self.items[one.up[0]].down) == 1:
                continue  # not the top of its chain
            column = [item]
            while len(down := self.items[column[-1]].down) == 1:
                if len(self.items[down[0]].up) != 1:
                    break
                column.append(down[0])
            columns.append(column)
        return columns

    def _pull_row(self, row: list[int], downward: bool, both: bool) -> None:
        wanted, weights = [], []
        for item in row:
            one = self.items[item]
            near = one.up + one.down if both else (one.up if downward else one.down)
            near = near or one.up or one.down
            wanted.append(
                sum(self.items[beside].x for beside in near) / len(near) if near else one.x
            )
            weights.append(4.0 if one.card is None and one.height == 0 else 1.0 + len(near) / 4)
        self._place_row(row, wanted, weights)

    def _place_row(self, row: list[int], wanted: list[float], weights: list[float]) -> None:
        gaps = [
            (self.items[a].width + self.items[b].width) / 2
            + max(self.items[a].gap, self.items[b].gap)
            for a, b in pairwise(row)
        ]
        for item, x in zip(row, _spread(wanted, weights, gaps), strict=True):
            self.items[item].x = x

    # --- the drawing ---

    def _draw(self) -> Layout:
        self._stand_apart()
        self._sides()
        self._channels()
        boxes = {
            key: Placed(
                key,
                round(self.items[item].x - self.items[item].width / 2, 1),
                round(self.items[item].y, 1),
                self.items[item].width,
                self.items[item].height,
            )
            for key, item in self.card_item.items()
        }
        routes = [self._route(number) for number in range(len(self.lines))]
        return Layout(round(self.right + MARGIN), round(self.bottom + MARGIN), boxes, routes)

    def _stand_apart(self) -> None:
        """Move everything into the picture."""
        left = min((one.x - one.width / 2 for one in self.items), default=0)
        for one in self.items:
            one.x = round(one.x - left + MARGIN, 1)
        self.right = max((one.x + one.width / 2 for one in self.items), default=0)

    def _sides(self) -> None:
        """A column at the nearer side for each line that leads back up."""
        self.side: dict[int, float] = {}
        middle = (self.right + MARGIN) / 2
        left = right = 0
        for number in sorted(self.back, key=lambda one: -self.items[self.path[one][0]].layer):
            if self.items[self.path[number][0]].x < middle:
                left += 1
                self.side[number] = MARGIN - 2 * LANE * left
            else:
                right += 1
                self.side[number] = self.right + 2 * LANE * right
        shift = 2 * LANE * left
        for one in self.items:
            one.x += shift
        self.side = {number: x + shift for number, x in self.side.items()}
        self.right = max([self.right + shift, *self.side.values()])

    def _channels(self) -> None:
        """The height of each layer, and in each channel a lane for what runs across in it."""
        self.lane: dict[tuple[int, object], int] = {}
        spans: dict[int, dict[object, list[float]]] = defaultdict(lambda: defaultdict(list))
        for number, path in self.path.items():
            for layer, owner, xs in self._crossing_spans(number, path):
                spans[layer][owner].extend(xs)
        y = float(MARGIN)
        self.channel_top: dict[int, float] = {-1: y}
        lanes = self._assign(spans.get(-1, {}), -1)
        y += CHANNEL + LANE * lanes if lanes else 0
        for layer in range(max(self.rows, default=-1) + 1):
            row = [self.items[item] for item in self.rows.get(layer, ())]
            for one in row:
                one.y = y
            y += max((one.height for one in row), default=0)
            self.channel_top[layer] = y
            lanes = self._assign(spans.get(layer, {}), layer)
            y += CHANNEL + LANE * max(lanes - 1, 0)
        self.bottom = y - CHANNEL if self.rows else y

    def _crossing_spans(
        self, number: int, path: list[int]
    ) -> Iterable[tuple[int, object, list[float]]]:
        """Where a line runs across: the channel's layer above, whose lane it is, and from-to."""
        line, items = self.lines[number], self.items
        source, stop = items[self.card_item[line.source]], items[path[0]]
        yield source.layer, ("from", line.source), [source.x, stop.x]
        chain = [*path]
        target = self.targets[number]
        if target is None:
            return
        end = items[self.card_item[target]]
        if number in self.back:
            side = self.side[number]
            yield stop.layer, ("back", number), [stop.x, side]
            yield end.layer - 1, ("to", target), [side, end.x]
            return
        for upper, lower in pairwise(chain):
            yield items[upper].layer, ("line", number), [items[upper].x, items[lower].x]
        yield end.layer - 1, ("to", target), [items[chain[-1]].x, end.x]

    def _assign(self, spans: Mapping[object, list[float]], layer: int) -> int:
        """Lanes such that what runs across does not lie on one another; how many there are."""
        ends: list[float] = []
        for owner, xs in sorted(spans.items(), key=lambda item: min(item[1])):
            low, high = min(xs), max(xs)
            lane = next((i for i, end in enumerate(ends) if end + LINE_GAP / 2 < low), len(ends))
            if lane == len(ends):
                ends.append(high)
            ends[lane] = high
            self.lane[layer, owner] = lane
        return len(ends)

    def _lane_y(self, layer: int, owner: object) -> float:
        return self.channel_top[layer] + CHANNEL / 2 + LANE * self.lane[layer, owner]

    def _route(self, number: int) -> Route:
        line, items, path = self.lines[number], self.items, self.path[number]
        source, stop = items[self.card_item[line.source]], items[path[0]]
        points = [(source.x, source.y + source.height)]

        def across(layer: int, owner: object, x: float) -> None:
            y = self._lane_y(layer, owner)
            points.extend([(points[-1][0], y), (x, y)])

        across(source.layer, ("from", line.source), stop.x)
        target = self.targets[number]
        if target is None:
            points.append((stop.x, stop.y + stop.height / 2))
        else:
            end = items[self.card_item[target]]
            if number in self.back:
                across(stop.layer, ("back", number), self.side[number])
            for upper, lower in pairwise(path):
                across(items[upper].layer, ("line", number), items[lower].x)
            across(end.layer - 1, ("to", target), end.x)
            points.append((end.x, end.y))
        return Route(line, _straightened(points), (stop.x, stop.y), number in self.back)


def _straightened(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Without repeated points and without points in the middle of a straight stretch."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        point = (round(x, 1), round(y, 1))
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _inversions(ends: Sequence[int], size: int) -> int:
    """How many pairs stand the wrong way round, by a Fenwick tree; equal ones don't."""
    tree = [0] * (size + 1)
    found = 0
    for seen, end in enumerate(ends):
        place, smaller = end + 1, 0
        while place:
            smaller += tree[place]
            place &= place - 1
        found += seen - smaller
        place = end + 1
        while place <= size:
            tree[place] += 1
            place += place & -place
    return found


def _spread(
    wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """The places nearest to those ``wanted`` that keep the ``gaps`` between neighbours.

    Least squares by pooling: neighbours that want to be too close form a block with one will.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[list[float]] = []  # will, weight, how many
    for place, weight, offset in zip(wanted, weights, offsets, strict=False):
        blocks.append([place - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            will, heavy, count = blocks.pop()
            before = blocks[-1]
            total = before[1] + heavy
            before[0] = (before[0] * before[1] + will * heavy) / total
            before[1], before[2] = total, before[2] + count
    placed = [block[0] for block in blocks for _ in range(int(block[2]))]
    return [will + offset for will, offset in zip(placed, offsets, strict=False)]
