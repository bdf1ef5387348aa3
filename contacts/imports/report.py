"""The rows that were refused, as a file that can be corrected and imported again."""

from __future__ import annotations

from collections.abc import Iterator

from contacts.models import Import

#: What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula; numbers stay as they are."""
    if not cell.startswith(_FORMULA):
        return cell
    number = cell.lstrip("+-").replace(".", "", 1).replace(",", "", 1).replace(" ", "")
    return cell if number.isdigit() and cell[0] in "+-" else f"'{cell}"


def refused_csv(source: Import) -> Iterator[list[str]]:
    """The header, then each refused row with its line and the reason in front."""
    yield ["Line", "Reason", *map(guarded, source.columns)]
    rows = source.refused_rows.order_by("row").values_list("line", "reason", "cells")
    for line, reason, cells in rows.iterator(chunk_size=1000):
        yield [str(line), reason, *map(guarded, cells)]
