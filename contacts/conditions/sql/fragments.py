"""Pieces of SQL with their parameters, put together by hand where Django has no words for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Fragment(NamedTuple):
    """SQL with ``%s`` placeholders, and what fills them."""

    sql: str
    params: tuple[Any, ...] = ()


def build(template: str, *parts: Any) -> Fragment:
    """``template`` with each ``?`` replaced: by a Fragment's SQL, or by a parameter."""
    sql = ""
    params: tuple[Any, ...] = ()
    pieces = template.replace("%", "%%").split("?")
    for piece, part in zip(pieces, (*parts, Fragment("")), strict=True):
        placed = part if isinstance(part, Fragment) else Fragment("%s", (part,))
        sql += piece + placed.sql
        params += placed.params
    return Fragment(sql, params)


def join(separator: str, fragments: Iterable[Fragment]) -> Fragment:
    """The fragments with ``separator`` between them, in parentheses."""
    parts = list(fragments)
    params = tuple(param for part in parts for param in part.params)
    return Fragment(f"({separator.join(part.sql for part in parts)})", params)
