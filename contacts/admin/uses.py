"""Who uses a segment, a template or a topic, so that it is not deleted under them; every room adds
its own part.

from contacts.admin import uses

@uses.of_segment
def drafts(segment):
    return [uses.Use("the draft of the journey", "Welcome", url=…), …]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from contacts.models import Segment


@dataclass(frozen=True, slots=True)
class Use:
    """Something that uses something: what it is, its name, and where it leads."""

    kind: str
    name: str
    url: str

    def words(self) -> SafeString:
        """As it stands in a sentence."""
        return format_html(
            '{} <a class="p-link underline" href="{}">“{}”</a>', self.kind, self.url, self.name
        )


Uses = Callable[[Any], Sequence[Use]]

_uses: list[tuple[type[Model], Uses]] = []


def of(model: type[Model]) -> Callable[[Uses], Uses]:
    """Add those who may use something of that model."""

    def add(uses: Uses) -> Uses:
        _uses.append((model, uses))
        return uses

    return add


of_segment = of(Segment)


def kept(used: Model, *, but: Sequence[Use] = ()) -> SafeString | None:
    """Who uses it, in a sentence; None where nobody does, or only those in ``but``."""
    found = [
        use
        for model, uses in _uses
        if isinstance(used, model)
        for use in uses(used)
        if use not in but
    ]
    if not found:
        return None
    *some, last = (use.words() for use in found)
    named = format_html_join(", ", "{}", ((words,) for words in some))
    listed = format_html("{} and {}", named, last) if some else last
    return format_html("“{}” is used by {}.", used, listed)
