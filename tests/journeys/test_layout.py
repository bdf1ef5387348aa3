from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.layout import STOP_HEIGHT, Box, Layout, Line, arrange


def graphs(nodes: int) -> st.SearchStrategy[tuple[list[Box], list[Line]]]:
    return st.integers(0, 2**32).map(lambda seed: graph(seed, nodes))


def graph(seed: int, most: int) -> tuple[list[Box], list[Line]]:
    """A random journey with joins, loops, loose ends and parts that cannot be reached."""
    chance = random.Random(seed)
    keys = [f"n{number}" for number in range(chance.randint(1, most))]
    boxes = [Box(key, 260, chance.choice([60, 78, 96])) for key in keys]
    lines = []
    for number, key in enumerate(keys):
        for outcome in range(chance.choice([0, 1, 1, 1, 2, 3])):
            forward = keys[number + 1 : number + 6]
            choices = [None, *forward, *forward, *forward]
            target = chance.choice(keys if chance.random() < 0.08 else choices)
            lines.append(Line(key, (f"o{outcome}",), target, chance.choice([28, 60, 140])))
    return boxes, lines


def apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return (
        a[0] + a[2] <= b[0] + 0.11
        or b[0] + b[2] <= a[0] + 0.11
        or a[1] + a[3] <= b[1] + 0.11
        or b[1] + b[3] <= a[1] + 0.11
    )


def check(layout: Layout, boxes: list[Box], lines: list[Line]) -> None:
    assert set(layout.boxes) == {box.key for box in boxes}
    assert [route.line for route in layout.routes] == lines
    cards = [(box.x, box.y, box.width, box.height) for box in layout.boxes.values()]
    stops = [
        (route.stop[0] - max(route.line.width, 28) / 2, route.stop[1],
         max(route.line.width, 28), STOP_HEIGHT)
        for route in layout.routes
    ]  # fmt: skip
    for a, b in combinations(cards + stops, 2):
        assert apart(a, b), (a, b)
    for x, y, width, height in cards + stops:
        assert x >= 0
        assert y >= 0
        assert x + width <= layout.width
        assert y + height <= layout.height
    for route in layout.routes:
        source = layout.boxes[route.line.source]
        assert route.points[0] == pytest.approx(
            (source.x + source.width / 2, source.y + source.height), abs=0.2
        )
        if route.line.target is not None:
            target = layout.boxes[route.line.target]
            assert route.points[-1] == pytest.approx(
                (target.x + target.width / 2, target.y), abs=0.2
            )
        for (x1, y1), (x2, y2) in pairwise(route.points):
            assert x1 == x2 or y1 == y2, "lines run straight"
            for x, y, width, height in cards:
                inside = (
                    min(x1, x2) < x + width - 0.2
                    and max(x1, x2) > x + 0.2
                    and min(y1, y2) < y + height - 0.2
                    and max(y1, y2) > y + 0.2
                )
                assert not inside, (route, (x, y, width, height))


@given(graphs(25))
def test_nothing_overlaps_and_every_line_is_whole(drawn: tuple[list[Box], list[Line]]) -> None:
    boxes, lines = drawn
    check(arrange(boxes, lines, ["n0"]), boxes, lines)


def test_a_hundred_nodes_are_placed() -> None:
    drawn = (graph(seed, 100) for seed in range(1000))
    boxes, lines = next((boxes, lines) for boxes, lines in drawn if len(boxes) == 100)
    check(arrange(boxes, lines, ["n0"]), boxes, lines)


def test_a_chain_stands_in_one_column() -> None:
    boxes = [Box(key, 260, 60) for key in "abcd"]
    lines = [Line(a, ("next",), b) for a, b in pairwise("abcd")] + [Line("d", ("next",), None)]
    layout = arrange(boxes, lines, ["a"])
    assert len({box.x for box in layout.boxes.values()}) == 1
    tops = [layout.boxes[key].y for key in "abcd"]
    assert tops == sorted(tops)


def test_outcomes_stand_in_their_order_and_join_again_without_crossing() -> None:
    boxes = [Box(key, 260, 60) for key in ("top", "left", "right", "end")]
    lines = [
        Line("top", ("yes",), "left"),
        Line("top", ("no",), "right"),
        Line("left", ("next",), "end"),
        Line("right", ("next",), "end"),
    ]
    layout = arrange(boxes, lines, ["top"])
    left, right = layout.boxes["left"], layout.boxes["right"]
    assert left.y == right.y
    assert left.x < right.x
    assert layout.boxes["end"].x == pytest.approx((left.x + right.x) / 2, abs=1)


def test_a_loop_goes_round_the_side() -> None:
    boxes = [Box(key, 260, 60) for key in "abc"]
    lines = [Line("a", ("next",), "b"), Line("b", ("again",), "a"), Line("b", ("next",), "c")]
    layout = arrange(boxes, lines, ["a"])
    check(layout, boxes, lines)
    assert [route.back for route in layout.routes] == [False, True, False]


def test_a_node_that_leads_to_itself() -> None:
    boxes, lines = [Box("a", 260, 60)], [Line("a", ("next",), "a")]
    check(arrange(boxes, lines, ["a"]), boxes, lines)


def test_an_empty_map() -> None:
    layout = arrange([], [])
    assert layout.boxes == {}
    assert layout.width > 0
