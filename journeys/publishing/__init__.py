"""From a draft to a version that runs, and what an operator does with a journey that does.

``problems`` before, ``publish``, then ``pause``, ``resume``, ``archive``; ``carry_on`` finishes in
batches what concerns too many people for one transaction, after whatever restart.
"""

from journeys.publishing.carrying import carry_on, due_since
from journeys.publishing.changes import unpublished
from journeys.publishing.drafts import (
    Stale,
    create,
    discard,
    duplicate,
    examine,
    problems,
    restore,
    restore_draft,
    save_draft,
)
from journeys.publishing.ending import archive, take_out
from journeys.publishing.foreseeing import (
    mails_after,
    mails_at,
    moved_at_resumption,
    nearest,
    over_by_then,
)
from journeys.publishing.history import CHANGED, entries
from journeys.publishing.pausing import Inside, Overdue, inside, overdue, pause, resume
from journeys.publishing.relocating import (
    Move,
    Standing,
    last_move,
    may_take_back,
    put_back_by,
    standing,
    take_back,
)
from journeys.publishing.retrying import TurnedAway, turned_away
from journeys.publishing.versions import move, publish

__all__ = [
    "CHANGED",
    "Inside",
    "Move",
    "Overdue",
    "Stale",
    "Standing",
    "TurnedAway",
    "archive",
    "carry_on",
    "create",
    "discard",
    "due_since",
    "duplicate",
    "entries",
    "examine",
    "inside",
    "last_move",
    "mails_after",
    "mails_at",
    "may_take_back",
    "move",
    "moved_at_resumption",
    "nearest",
    "over_by_then",
    "overdue",
    "pause",
    "problems",
    "publish",
    "put_back_by",
    "restore",
    "restore_draft",
    "resume",
    "save_draft",
    "standing",
    "take_back",
    "take_out",
    "turned_away",
    "unpublished",
]
