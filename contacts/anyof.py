"""``field__any_of=values``: as ``__in``, with one parameter however many values there are.

``__in`` has a parameter for each value, and Django prepares each of them: for a thousand that takes
longer than the query. SQLite also has a limit to their number.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Field, Lookup


@Field.register_lookup
class AnyOf(Lookup):
    """The value is one of a list of texts or whole numbers."""

    lookup_name = "any_of"

    def get_prep_lookup(self) -> list[Any]:
        """The values as they are."""
        return list(self.rhs)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """An array for PostgreSQL, a JSON list for SQLite."""
        sql, params = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{sql} = ANY(%s)", [*params, self.rhs]
        listed = json.dumps(self.rhs, ensure_ascii=False)
        return f"{sql} IN (SELECT value FROM json_each(%s))", [*params, listed]  # noqa: S608

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, Any]:
        """Used by nobody: ``as_sql`` says it all."""
        return "%s", [value]
