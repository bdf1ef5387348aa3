"""What is wrong with something a person wrote: the place, a sentence, and a hint, all together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or with ``level`` "warning" one that is allowed but looks wrong.

    ``place`` is the way to it in the file: ``nodes.look.next``, ``goal.all[1].op``.
    """

    place: str
    message: str
    hint: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return " ".join(
            part for part in (self.place and f"{self.place}:", self.message, self.hint) if part
        )


class Problems(list[Problem]):
    """Collects problems, so that all of them are reported together."""

    def error(self, place: str, message: str, hint: str = "") -> None:
        """Note something that is not allowed."""
        self.append(Problem(place, message, hint))

    def warning(self, place: str, message: str, hint: str = "") -> None:
        """Note something that is allowed and probably not meant."""
        self.append(Problem(place, message, hint, "warning"))

    @property
    def errors(self) -> list[Problem]:
        """Those that are not allowed."""
        return [problem for problem in self if problem.level == "error"]

    def refuse(self) -> None:
        """Raise `Invalid` where anything is not allowed."""
        if self.errors:
            raise Invalid(self)


class Invalid(ValueError):
    """Something a person wrote is not allowed; ``problems`` says all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = Problems(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def under(place: str, step: str | int) -> str:
    """The place one step below ``place``: a key, or the index of a list."""
    if isinstance(step, int):
        return f"{place}[{step}]"
    return f"{place}.{step}" if place else step
