"""Forms of the condition language that name one thing from a list, as an editor offers them.

A room registers each of its own beside the form itself: the segments here, topics and messages in
the room that knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Slugs with the names people know them by.
Choices = list[tuple[str, str]]


@dataclass(frozen=True)
class Pick:
    """One such form, as a row of an editor.

    - ``form``: its key in the language, under which the name stands
    - ``label``: what the row is about; ``holds`` and ``fails``: the words for it and for its
      opposite, between the label and the name
    - ``choices``: what there is; None where the page knows it (the nodes of a journey)
    - ``key``, ``words``: another key of the form, and what may stand there with its words
    - ``enrollment``: whether it may stand only where there is an enrollment
    """

    form: str
    label: str
    icon: str
    holds: str
    fails: str
    choices: Callable[[], Choices] | None = None
    key: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    enrollment: bool = False


#: The forms by their key, in the order in which they registered.
PICKS: dict[str, Pick] = {}


def offer(pick: Pick) -> None:
    """Let editors offer this form."""
    PICKS[pick.form] = pick


def known(form: str) -> dict[str, str] | None:
    """The slugs that a form may name, with their names; None where they are not known here."""
    pick = PICKS.get(form)
    return None if pick is None or pick.choices is None else dict(pick.choices())


def _segments() -> Choices:
    from contacts.models import Segment

    return list(Segment.objects.order_by("name").values_list("slug", "name"))


offer(
    Pick(
        form="segment",
        label="Segments",
        icon="groups",
        holds="include",
        fails="do not include",
        choices=_segments,
    )
)
