"""How the tests of the page tell their stories: simulated, and played live on the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.scenario import Story, Told, contact

Play = Callable[..., Told]


def _story(folder: Path, journey: dict[str, Any], facts: Sequence[Any], **how: Any) -> Story:
    people = how.pop("people", None) or [contact()]
    return Story(folder, journey, people, facts, **how)


@pytest.fixture(params=["simulated", "live"])
def play(request: pytest.FixtureRequest, db: None, tmp_path: Path) -> Play:
    """Play a story and tell what became of it; the test runs once simulated and once live."""

    def played(journey: dict[str, Any], facts: Sequence[Any], **how: Any) -> Told:
        story = _story(tmp_path / "story", journey, facts, **how)
        return story.live() if request.param == "live" else story.simulated()

    return played


@pytest.fixture
def simulated(db: None, tmp_path: Path) -> Play:
    """Play a story that only a simulation can be asked."""

    def played(journey: dict[str, Any], facts: Sequence[Any], **how: Any) -> Told:
        return _story(tmp_path / "story", journey, facts, **how).simulated()

    return played
