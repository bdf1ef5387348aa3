"""What a comparison is about: something inside a JSON column, or a field of the contact."""

from __future__ import annotations

from dataclasses import dataclass

#: All that `str.strip` takes off, for the databases' own trim.
BLANKS = "".join(letter for letter in map(chr, range(0x3001)) if letter.isspace())


@dataclass(frozen=True)
class JsonPath:
    """What a dotted name leads to inside a JSON column, into objects only."""

    column: str
    path: str

    @property
    def steps(self) -> list[str]:
        """The keys on the way."""
        return self.path.split(".")


@dataclass(frozen=True)
class OwnField:
    """A field of the contact that conditions know by name: text, or a moment."""

    column: str

    @property
    def is_moment(self) -> bool:
        """Whether the column holds a moment; as JSON it is a text in UTC with ``Z``."""
        return self.column == "created_at"


Subject = JsonPath | OwnField
