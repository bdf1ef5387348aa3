"""What `make run` loads into an empty installation: people, their last 100 days, and journeys.

``past`` says what people did, ``replay`` takes it in through the door that everything comes in by,
and lets the engine work it through with a clock of its own. Nothing of the past is mailed.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
LIVE = (FOLDER / "onboarding.yaml", FOLDER / "abandoned-cart.yaml")
RECIPES = FOLDER.parent / "recipes"
DRAFTS = (RECIPES / "win-back.yaml", RECIPES / "trial-ending.yaml")
PEOPLE = 500
PAST = timedelta(days=100)

_BOUGHT_LATELY = {"event": "order_placed", "within": "30d"}
#: slug → name and condition.
SEGMENTS = {
    "team-and-pro": (
        "On a paid plan",
        {"attribute": "plan", "op": "in", "value": ["team", "pro"]},
    ),
    "bought-not-lately": (
        "Bought, but not in the last 30 days",
        {"all": [{"event": "order_placed"}, {"not": _BOUGHT_LATELY}]},
    ),
    "regulars": (
        "Regulars: 3 orders in 60 days",
        {"event": "order_placed", "within": "60d", "count": {"op": "gte", "value": 3}},
    ),
}
