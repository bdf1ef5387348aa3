"""Conditions as Django's expressions. NULL counts as not true: `negate` knows, ``~`` does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db.models import BooleanField, Exists, F, QuerySet
from django.db.models.expressions import Combinable, Expression, NegatedExpression

from contacts.conditions.sql import postgresql, sqlite
from contacts.conditions.sql.fragments import Fragment
from contacts.conditions.sql.subjects import Subject

Compiled = tuple[str, tuple[Any, ...]]

# SQLite takes a chain of a thousand for a tree too deep: it gets chains of chains. And its parser
# keeps all that stands before an open parenthesis: in deep trees what is deep comes first.
_CHAIN = 100
_DEEP = 8


class Asked(Protocol):
    """What is asked of a subject: an operator and the value written beside it."""

    @property
    def op(self) -> str: ...
    @property
    def written(self) -> Any: ...


class Boolean(Expression):
    """An expression that is true, or else false or NULL."""

    def __init__(self, *sources: Any) -> None:
        super().__init__(output_field=BooleanField())
        self.sources = list(sources)

    def get_source_expressions(self) -> list[Any]:
        return self.sources

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        self.sources = list(exprs)


class Constant(Boolean):
    """True of everybody, or of nobody."""

    def __init__(self, value: bool) -> None:
        super().__init__()
        self.value = value

    def as_sql(self, compiler: Any, connection: Any) -> Compiled:
        return ("1 = 1" if self.value else "1 = 0"), ()


class Compare(Boolean):
    """A comparison about something in a column of the row at hand."""

    def __init__(self, subject: Subject, asked: Asked, now: datetime) -> None:
        super().__init__(F(subject.column))
        self.subject, self.asked, self.now = subject, asked, now

    @property
    def identity(self) -> tuple[Any, ...]:
        written = json.dumps(self.asked.written, sort_keys=True)
        return (type(self), self.subject, self.asked.op, written, self.now, *self.sources)

    def as_postgresql(self, compiler: Any, connection: Any) -> Compiled:
        return self._written_by(postgresql.comparison, compiler)

    def as_sqlite(self, compiler: Any, connection: Any) -> Compiled:
        return self._written_by(sqlite.comparison, compiler)

    def _written_by(self, comparison: Any, compiler: Any) -> Compiled:
        sql, params = compiler.compile(self.sources[0])
        column = Fragment(sql, tuple(params))
        asked = self.asked
        written: Fragment = comparison(column, self.subject, asked.op, asked.written, self.now)
        return f"({written.sql})", written.params


class IsNotTrue(Boolean):
    """True where its source is false or NULL."""

    def as_sql(self, compiler: Any, connection: Any) -> Compiled:
        sql, params = compiler.compile(self.sources[0])
        return f"({sql} IS NOT TRUE)", tuple(params)


class Junction(Boolean):
    """Its sources joined by ``AND`` or ``OR``."""

    def __init__(self, connector: str, *sources: Any) -> None:
        super().__init__(*sources)
        self.connector = connector
        self.depth = 1 + max(map(_depth, sources))

    def as_sql(self, compiler: Any, connection: Any) -> Compiled:
        sources = self.sources
        if self.depth > _DEEP:
            sources = sorted(sources, key=_depth, reverse=True)
        compiled = [compiler.compile(source) for source in sources]
        sql = self._nested([sql for sql, _ in compiled])
        return sql, tuple(param for _, params in compiled for param in params)

    def _nested(self, parts: list[str]) -> str:
        while len(parts) > _CHAIN:
            parts = [self._nested(parts[at : at + _CHAIN]) for at in range(0, len(parts), _CHAIN)]
        return f"({f' {self.connector} '.join(parts)})"


class AmongGroups(Boolean):
    """Whether the row's id is one of those that ``groups``, a grouped query, selects.

    PostgreSQL makes a hashed semi-join or anti-join of it, which ``NOT IN`` would prevent; SQLite
    makes its list once for ``IN`` and for ``NOT IN`` alike.
    """

    def __init__(self, groups: QuerySet[Any, Any], negated: bool = False) -> None:
        super().__init__(F("pk"))
        self.groups, self.negated = groups, negated

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), id(self.groups), self.negated, *self.sources)

    def as_postgresql(self, compiler: Any, connection: Any) -> Compiled:
        row, groups, params = self._compiled(compiler, connection)
        among = f"SELECT 1 FROM {groups} AS counted(id) WHERE counted.id = {row}"  # noqa: S608
        return f"{self._not}EXISTS ({among})", params

    def as_sqlite(self, compiler: Any, connection: Any) -> Compiled:
        row, groups, params = self._compiled(compiler, connection)
        return f"{row} {self._not}IN {groups}", params

    @property
    def _not(self) -> str:
        return "NOT " if self.negated else ""

    def _compiled(self, compiler: Any, connection: Any) -> tuple[str, str, tuple[Any, ...]]:
        row, row_params = compiler.compile(self.sources[0])
        groups, params = self.groups.query.get_compiler(connection=connection).as_sql()
        return row, f"({groups})", (*params, *row_params)


def _depth(source: Any) -> int:
    return source.depth if isinstance(source, Junction) else 0


def constant(value: bool) -> Combinable:
    """True of everybody, or of nobody."""
    return Constant(value)


def every(parts: Iterable[Combinable]) -> Combinable:
    """True where all parts are; without parts, always."""
    return _joined("AND", list(parts), neutral=True)


def some(parts: Iterable[Combinable]) -> Combinable:
    """True where at least one part is; without parts, never."""
    return _joined("OR", list(parts), neutral=False)


def _joined(connector: str, parts: list[Combinable], neutral: bool) -> Combinable:
    found: dict[int, Combinable] = {}  # what stands twice, as an inner segment may, is said once
    for part in parts:
        if isinstance(part, Constant):
            if part.value != neutral:
                return part
        elif isinstance(part, Junction) and part.connector == connector:
            found |= {id(source): source for source in part.sources}
        else:
            found[id(part)] = part
    kept = list(found.values())
    if not kept:
        return Constant(neutral)
    return kept[0] if len(kept) == 1 else Junction(connector, *kept)


def negate(part: Combinable) -> Combinable:
    """True where ``part`` is not, NULL included.

    It goes down to the leaves, so that a database sees its anti-joins.
    """
    if isinstance(part, Constant):
        return Constant(not part.value)
    if isinstance(part, IsNotTrue):
        return part.sources[0]
    if isinstance(part, Junction):
        join = some if part.connector == "AND" else every
        return join(negate(source) for source in part.sources)
    if isinstance(part, AmongGroups):
        return AmongGroups(part.groups, not part.negated)
    if isinstance(part, Exists | NegatedExpression):
        return ~part
    return IsNotTrue(part)
