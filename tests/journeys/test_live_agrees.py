"""The live house gives what the page says: random journeys, against the reference interpreter."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys import work
from journeys.simulation.inputs import FactLine, Known, read_contacts, read_facts
from tests.journeys.live import House
from tests.reference import generate
from tests.reference.interpreter import simulate

#: Cases that the live house can be asked, out of the first few hundred.
PLAYED = 60


def lines_of(case: generate.Case, files: generate.Files) -> list[FactLine] | None:
    """The case's lines; None where the live house can't be asked the same.

    What became of a message comes from a provider; facts before the start, and people whom a line
    other than an event makes, exist in a simulation alone.
    """
    nodes = case.journey["nodes"]
    known = Known(
        frozenset(case.journey.get("topics", {})),
        frozenset(key for key, node in nodes.items() if node["kind"] == "send"),
        "manual" in case.journey["entry"]["trigger"],
    )
    lines = read_facts(files.events, known)
    people = read_contacts(files.contacts)
    if any(line.kind == "message" for line in lines) or case.start is not None:
        return None
    if any(line.contact not in people for line in lines):
        return None
    if any(contact.created_at is None for contact in people.values()):
        return None
    return lines


def playable() -> Iterator[int]:
    """The seeds of cases that can be played live."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in itertools.count():
            case = generate.case(seed)
            if lines_of(case, generate.write(case, Path(folder) / str(seed))):
                yield seed


SEEDS = list(itertools.islice(playable(), PLAYED))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("batch", [500, 1])
def test_the_live_house_agrees_with_the_reference(
    seed: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = generate.case(seed)
    files = generate.write(case, tmp_path)
    lines = lines_of(case, files)
    assert lines
    expected = simulate(files.journey, files.contacts, files.events, case.until, case.start)
    monkeypatch.setattr(work, "BATCH", batch)
    house = House(case.journey, read_contacts(files.contacts))
    start = lines[0].at
    house.open(start)
    hourly = "segment" in case.journey["entry"]["trigger"]
    house.play(lines, start, case.until, hourly=hourly)
    assert house.results() == expected
