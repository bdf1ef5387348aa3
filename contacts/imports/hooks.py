"""What higher rooms add to an import. They set these when they start; nothing here imports them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol


class Topics(Protocol):
    """Choices about topics that a column of a file may hold."""

    def names(self) -> list[tuple[str, str]]:
        """The slug and the name of each topic."""

    def choose(
        self,
        choices: Sequence[tuple[int, str, bool]],
        *,
        at: datetime,
        keep_unsubscribed: bool,
        source: str,
    ) -> None:
        """Write (contact id, topic, subscribed) in a fixed number of statements, without facts.

        With ``keep_unsubscribed`` who has unsubscribed from the topic, or from all, stays so.
        """


#: Set by the room of messages.
topics: Topics | None = None

#: Each is asked, before an import is undone, which of the contacts it made must stay because of
#: what has happened to them since. Without one, those who have events stay.
keepers: list[Callable[[Collection[int]], set[int]]] = []
