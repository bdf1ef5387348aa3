"""The rows that were refused, as a file that can be corrected and imported again."""

from __future__ import annotations

from collections.abc import Iterator

from contacts.exporting import guarded
from contacts.imports.mapping import REFUSED
from contacts.models import Import


def refused_csv(source: Import) -> Iterator[list[str]]:
    """The header, then each refused row with its line and the reason in front."""
    yield [*REFUSED, *map(guarded, source.columns)]
    rows = source.refused_rows.order_by("row").values_list("line", "reason", "cells")
    for line, reason, cells in rows.iterator(chunk_size=1000):
        yield [str(line), reason, *map(guarded, cells)]
